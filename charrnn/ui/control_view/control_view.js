// The left column: what the visitor chooses, and the buttons. It keeps page.settings and sends events to the server.

import { page } from "../page.js";

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
    const words = WORDS[name](valueOf(name));
    input.style.setProperty("--share", share);
    input.setAttribute("aria-valuetext", words);
    input.closest(".cr-slider").querySelector("output").textContent = words;
  }

  function request() {
    return {
      ...page.settings,
      prompt: $("#cr-prompt").value,
      seed: Number($("#cr-seed").value || 0),
      characters: Number($("#cr-characters").value || 1),
      checkpoint: page.checkpoint,
    };
  }

  function settingsChanged() {
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
    send("model", request());
  }

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
    models = offered.models;
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
    select.value = offered.chosen.name;
    showModel();
    showSteps(offered.chosen.step);
    page.checkpoint = { name: offered.chosen.name, step: offered.chosen.step };
  }
  // --- buttons and keys

  const primary = $('[data-action="write"]');
  function showState() {
    const words = { writing: "Pause", paused: "Resume" };
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

  const actions = {
    write() {
      if (page.state === "writing") {
        setState("paused");
        send("pause", {});
      } else if (page.state === "paused") {
        setState("writing");
        send("resume", request());
      } else {
        page.stats.clickedAt = performance.now();
        page.stats.firstCharacterMs = null;
        setState("writing");
        closeDrawer();
        send("write", request());
      }
    },
    step() {
      if (page.state !== "writing") send("step", request());
    },
    stop() {
      setState("finished");
      send("stop", {});
    },
    clear() {
      setState("empty");
      send("clear", request());
    },
  };
  for (const [name, act] of Object.entries(actions)) $(`[data-action="${name}"]`).addEventListener("click", act);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") closeDrawer();
    const typing = "input:not([type=range]), textarea, select, button, summary, a, [role=tab], [contenteditable]";
    if (event.target.closest(typing)) return;
    if (event.target.closest("[type=range]") && event.key !== " ") return; // the arrows move the slider
    if (event.key === " ") {
      event.preventDefault();
      actions.write();
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      const move = { by: event.key === "ArrowLeft" ? -1 : 1, atEnd: false };
      page.emit("move", move);
      if (move.atEnd) actions.step();
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      if (!event.target.closest(".cr-map")) return;
      event.preventDefault();
      page.emit("unit", event.key === "ArrowUp" ? -1 : 1);
    } else if (event.key === "Enter" && event.target.closest(".cr-map")) {
      page.emit("colour");
    } else if (event.key === "Escape") {
      page.emit("release");
    }
  });

  // --- the drawer of a phone

  const opener = $(".cr-open");
  function setDrawer(open) {
    $("#cr-settings").classList.toggle("cr-drawn", open);
    opener.setAttribute("aria-expanded", String(open));
  }
  function closeDrawer() {
    if (opener.getAttribute("aria-expanded") === "true") {
      setDrawer(false);
      if (opener.offsetParent) opener.focus();
    }
  }
  opener.addEventListener("click", () => {
    setDrawer(opener.getAttribute("aria-expanded") !== "true");
    if (opener.getAttribute("aria-expanded") === "true") $("#cr-model").focus();
  });
  $(".cr-close").addEventListener("click", closeDrawer);

  return fill;
}
