// The left column: what the visitor chooses, and the buttons. It keeps page.settings and sends events to the server.

import { page } from "../page.js";
import { drawer } from "./drawer.js";
import { keeping } from "./keeping.js";
import { listenToKeys } from "./keys.js";
import { opening } from "./opening.js";
import { originLines } from "./origin.js";
import { sharing } from "./share.js";

const SPEEDS = [1, 2, 5, 10, 20, 30, 60, 120, 0]; // characters per second; 0 is as fast as it goes

const WORDS = {
  temperature: (x) => (x === 0 ? "0, greedy" : x.toFixed(2)),
  top_k: (x) => (x === 0 ? "off" : String(x)),
  top_p: (x) => (x === 1 ? "off" : x.toFixed(2)),
  min_p: (x) => (x === 0 ? "off" : x.toFixed(2)),
  speed: (x) => (x === 0 ? "as fast as it goes" : x + " characters/s"),
  step: (x) => String(x),
};

/** Set up the column; returns what takes the list of models from the server. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const slider = (name) => $("#cr-" + name);
  let models = [];
  let pending = null; // the settings event that waits for its turn

  const model = () => models.find((m) => m.name === $("#cr-model").value);
  const valueOf = (name) => {
    const raw = Number(slider(name).value);
    if (name === "speed") return SPEEDS[raw];
    if (name === "step") return model() ? model().steps[raw] : 0;
    return raw;
  };

  function show(name) {
    const input = slider(name);
    const share = (input.value - input.min) / (input.max - input.min || 1);
    const words = WORDS[name](page.settings[name] ?? valueOf(name)); // a link can say it finer than a slider
    input.style.setProperty("--share", share);
    input.setAttribute("aria-valuetext", words);
    input.closest(".cr-slider").querySelector("output").textContent = words;
  }

  /** What stands in a number box, as it is: the server says what is wrong with it. */
  const boxed = (selector) => ($(selector).value === "" ? "" : Number($(selector).value));

  function request() {
    return {
      ...page.settings,
      prompt: $("#cr-prompt").value,
      seed: boxed("#cr-seed"),
      characters: boxed("#cr-characters"),
      checkpoint: page.checkpoint,
    };
  }

  page.request = request; // what other views write, where they write the same

  /** Send a click with its number: one that waits in the queue can be overtaken, and then no longer counts. */
  function click(name) {
    send(name, { ...request(), click: (page.clicks += 1) });
  }

  function settingsChanged() {
    if (page.state === "writing") share.goesOn();
    if (pending) return;
    pending = setTimeout(() => {
      pending = null;
      send("settings", request());
    }, 30); // a dragged slider sends at most some thirty events a second; the last one always arrives
  }

  for (const name of ["temperature", "top_k", "top_p", "min_p", "speed"]) {
    slider(name).addEventListener("input", () => {
      const began = performance.now();
      page.settings[name] = valueOf(name);
      show(name);
      page.emit("settings");
      page.stats.redrawMs.push(performance.now() - began);
      settingsChanged();
    });
    show(name);
  }

  function showModel() {
    const chosen = model();
    if (!chosen) return;
    $(".cr-model-name").textContent = chosen.title;
    $(".cr-model-facts").textContent = chosen.facts;
    slider("top_k").max = chosen.characters;
    show("top_k");
  }

  function showSteps(wanted) {
    const chosen = model();
    if (!chosen) return;
    const input = slider("step");
    let index = chosen.steps.indexOf(wanted);
    if (index < 0) index = chosen.steps.length - 1;
    input.max = chosen.steps.length - 1;
    input.value = index;
    input.disabled = chosen.steps.length < 2;
    const ticks = $(".cr-ticks");
    ticks.replaceChildren(
      ...chosen.steps.map((step, i) => {
        const tick = document.createElement("span");
        tick.textContent = step >= 1000 && step % 100 === 0 ? step / 1000 + "k" : step;
        tick.style.setProperty("--at", chosen.steps.length > 1 ? i / (chosen.steps.length - 1) : 0);
        return tick;
      }),
    );
    show("step");
  }

  function modelChanged() {
    page.checkpoint = { name: model().name, step: valueOf("step") };
    page.emit("measuring");
    if ($("#cr-again").checked && hasWritten() && !page.lost) {
      share.wroteAgain();
      setState("writing");
      click("again");
      return;
    }
    if (page.state === "writing") share.goesOn();
    send("model", request());
  }
  const hasWritten = () => page.state !== "empty" && !!page.live?.record && page.live.record.length > page.live.record.prompt;

  $("#cr-model").addEventListener("change", () => {
    showModel();
    showSteps(page.checkpoint ? page.checkpoint.step : -1);
    modelChanged();
  });
  slider("step").addEventListener("input", () => {
    show("step");
    clearTimeout(modelChanged.timer);
    modelChanged.timer = setTimeout(modelChanged, 40);
  });

  function fill(value) {
    const offered = JSON.parse(value);
    const before = { sha256: model()?.sha256, any: models.length > 0 };
    showOrigin(offered.origin, offered.said);
    if (offered.refreshed && offered.models.length && !before.any) return location.reload();
    page.models = models = offered.models;
    const select = $("#cr-model");
    select.replaceChildren(
      ...models.map((m) => {
        const option = document.createElement("option");
        option.value = m.name;
        option.textContent = m.title + " · " + m.facts;
        return option;
      }),
    );
    if (!models.length) {
      $(".cr-model-name").textContent = "no model";
      $(".cr-model-facts").textContent = offered.problem;
      return;
    }
    $(".cr-refused").textContent = offered.refused && "Not offered: " + offered.refused;
    select.value = offered.chosen.name;
    showModel();
    showSteps(offered.chosen.step);
    page.checkpoint = { name: offered.chosen.name, step: offered.chosen.step };
    if (offered.refreshed) {
      if (model().sha256 !== before.sha256) modelChanged();
      return;
    }
    Object.assign(page, { defaults: offered.defaults, tabs: offered.tabs });
    open(offered.link);
    if (!restore()) share.began(true, offered.link?.read);
  }

  // --- buttons and keys

  const primary = $('[data-action="write"]');
  function showState() {
    const words = { writing: "Pause", paused: hasWritten() ? "Resume" : "Write on" };
    primary.firstElementChild.textContent = words[page.state] || "Write";
    $('[data-action="stop"]').disabled = !(page.state === "writing" || page.state === "paused");
    $('[data-action="step"]').disabled = page.state === "writing";
    $('[data-action="clear"]').disabled = page.state === "empty";
    element.querySelector(".cr-controls").dataset.state = page.state;
  }
  page.on("state", showState);
  showState();

  function setState(state) {
    page.state = state;
    page.emit("state");
  }

  const clicked = {
    write() {
      if (page.state === "writing") {
        setState("paused");
        click("pause");
      } else if (page.state === "paused") {
        setState("writing");
        share.goesOn();
        click("resume");
      } else {
        page.stats.clickedAt = performance.now();
        page.stats.firstCharacterMs = null;
        setState("writing");
        closeDrawer();
        share.began();
        click("write");
      }
    },
    step() {
      if (page.state === "writing") return;
      page.state === "empty" ? share.began() : share.goesOn();
      click("step");
    },
    stop() {
      setState("finished");
      click("stop");
    },
    clear() {
      setState("empty");
      click("clear");
    },
    read() {
      closeDrawer();
      page.passage = $("#cr-passage").value;
      share.reads(page.passage);
      page.emit("passage");
      send("read", { ...request(), passage: page.passage });
    },
  };
  const unlessLost = (act) => () => (page.lost ? page.emit("lost") : act());
  const actions = Object.fromEntries(Object.entries(clicked).map(([name, act]) => [name, unlessLost(act)]));
  for (const [name, act] of Object.entries(actions)) $(`[data-action="${name}"]`).addEventListener("click", act);

  const showOrigin = originLines(element, () => send("refresh", {}));
  const share = sharing(element, request);
  const restore = keeping(element, request, share);
  page.on("branched", share.goesOn);
  page.on("strayed", share.strayed);
  const open = opening(element, SPEEDS, show);
  const closeDrawer = drawer($("#cr-settings"), $(".cr-open"), $(".cr-close"));
  listenToKeys(actions, closeDrawer);
  const keys = $(".cr-keys");
  const showKeys = () => keys.open || keys.showModal();
  $('[data-action="keys"]').addEventListener("click", showKeys);
  page.on("keys", showKeys);
  keys.querySelector("button").addEventListener("click", () => keys.close());

  // --- a lost connection

  page.on("lost", () => {
    if (page.state === "writing") setState("paused");
  });

  return fill;
}
