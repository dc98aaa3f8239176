// The left column: model, sliders, prompt and buttons. Updates page.settings and calls the session.

import { create } from "../components/create_element.js";
import { page } from "../components/page_state.js";
import { configure, provider, session } from "../session/page_session.js";
import { NO_INTERVENTIONS } from "../session/session.js";
import { restoreBoxes, savedPage, savePage } from "../session/saved_page.js";
import { createDrawer } from "./drawer.js";
import { bindShortcuts } from "./keyboard.js";
import { whenReady, createLinkHandler } from "./apply_link.js";
import { createCheckpointSource } from "./checkpoint_source.js";
import { createShare } from "./share.js";

const SPEEDS = [1, 2, 5, 10, 20, 30, 60, 120, 0]; // characters per second; 0 is as fast as possible

const WORDS = {
  temperature: (x) => (x === 0 ? "0, greedy" : x.toFixed(2)),
  top_k: (x) => (x === 0 ? "off" : String(x)),
  top_p: (x) => (x === 1 ? "off" : x.toFixed(2)),
  min_p: (x) => (x === 0 ? "off" : x.toFixed(2)),
  speed: (x) => (x === 0 ? "as fast as it goes" : x + " characters/s"),
  step: (x) => String(x),
};

/** Set up the column; returns a function that takes the model list from the server. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const slider = (name) => $("#cr-" + name);
  let models = [];
  let isFirst = true; // before the first model list
  let pending = null; // timer of a change that the session has not received yet

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
    const words = WORDS[name](page.settings[name] ?? valueOf(name)); // a link can be more exact than a slider
    input.style.setProperty("--share", share);
    input.setAttribute("aria-valuetext", words);
    input.closest(".cr-slider").querySelector("output").textContent = words;
  }

  /** Raw value of a number input; validated later. */
  const boxed = (selector) => ($(selector).value === "" ? "" : Number($(selector).value));

  /** The prompt; the default one is fitted to the model. */
  function prompt() {
    const typed = $("#cr-prompt").value;
    return typed === page.defaults?.prompt ? (model()?.prompt ?? typed) : typed;
  }

  function request() {
    return {
      ...page.settings,
      prompt: prompt(),
      seed: boxed("#cr-seed"),
      characters: boxed("#cr-characters"),
      checkpoint: page.checkpoint,
    };
  }

  page.request = request; // for views that generate with the same settings

  /** Return the request for a new text. */
  function fresh() {
    configure();
    session.checkpoint = page.checkpoint;
    const { prompt, seed, characters } = request();
    return { prompt, seed, characters };
  }

  function settingsChanged() {
    pending ??= setTimeout(() => {
      pending = null;
      configure();
    }, 30); // a dragged slider requests new characters about thirty times a second
  }

  for (const name of Object.keys(page.settings)) {
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

  /** Move the sliders to the settings. */
  function showSettings() {
    for (const name of Object.keys(page.settings)) {
      slider(name).value = name === "speed" ? nearest(SPEEDS, page.settings.speed) : page.settings[name];
      show(name);
    }
    page.emit("settings");
  }

  function showModel() {
    const chosen = model();
    if (!chosen) return;
    $(".cr-model-name").textContent = chosen.title;
    $(".cr-model-facts").textContent = chosen.facts;
    slider("top_k").max = chosen.characters;
    show("top_k");
  }

  function showSteps(step) {
    const chosen = model();
    if (!chosen) return;
    const input = slider("step");
    let index = chosen.steps.indexOf(step);
    if (index < 0) index = chosen.steps.length - 1;
    input.max = chosen.steps.length - 1;
    input.value = index;
    input.disabled = chosen.steps.length < 2;
    const tick = (step, i) => {
      const style = `--at: ${chosen.steps.length > 1 ? i / (chosen.steps.length - 1) : 0}`;
      return create("span", { style }, step >= 1000 && step % 100 === 0 ? step / 1000 + "k" : step);
    };
    $(".cr-ticks").replaceChildren(...chosen.steps.map(tick));
    show("step");
  }

  function modelChanged() {
    page.checkpoint = { name: model().name, step: valueOf("step") };
    page.emit("checkpoint-changed");
    if ($("#cr-again").checked && hasWritten()) return session.rewrite({ checkpoint: page.checkpoint });
    return session.choose(page.checkpoint);
  }
  const hasWritten = () => session.state !== "empty" && session.written > 0;

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
    if (offered.scene && offered.scene !== page.requestedScene) return undefined; // of a scene that was left
    const before = { sha256: model()?.sha256, any: models.length > 0 };
    showOrigin(offered.origin, offered.said);
    if (offered.refreshed && offered.models.length && !before.any) return location.reload();
    page.models = models = offered.models;
    const select = $("#cr-model");
    select.replaceChildren(...models.map(({ name, title, facts }) => new Option(title + " · " + facts, name)));
    if (!models.length) {
      $(".cr-model-name").textContent = "no model";
      $(".cr-model-facts").textContent = offered.problem;
      session.say({ kind: "problem", text: offered.problem });
      return undefined;
    }
    $(".cr-refused").textContent = offered.refused && "Not offered: " + offered.refused;
    select.value = offered.chosen.name;
    showModel();
    showSteps(offered.chosen.step);
    page.checkpoint = { name: offered.chosen.name, step: offered.chosen.step };
    if (offered.refreshed) {
      provider.forget();
      if (model().sha256 !== before.sha256) modelChanged();
      return;
    }
    Object.assign(page, { defaults: offered.defaults, tabs: offered.tabs });
    open(offered.link);
    const saved = isFirst ? savedPage() : null;
    isFirst = false;
    session.preface = offered.notice;
    saved ? restore(saved) : begin(offered.link || offered.defaults);
    return undefined;
  }

  /** Generate or score the text of a link, a scene or the defaults, without pacing. */
  function begin({ prompt, read, write, seed, characters, edits, view = "" }) {
    configure();
    Object.assign(session, { checkpoint: page.checkpoint, view, interventions: NO_INTERVENTIONS });
    if (read) return session.read({ text: read, seed, characters, write });
    return session.write({ prompt, seed, characters, edits, instant: true });
  }

  /** Restore the page after a reload. */
  function restore(saved) {
    const { checkpoint, settings, speed } = saved.session;
    Object.assign(page.settings, settings, { speed });
    showSettings();
    if (checkpoint && models.some((m) => m.name === checkpoint.name)) {
      $("#cr-model").value = checkpoint.name;
      showModel();
      showSteps(checkpoint.step);
      page.checkpoint = { name: checkpoint.name, step: valueOf("step") };
    }
    restoreBoxes(element, saved);
    whenReady(() => page.live.restore(saved.cursor));
    return session.restore({ ...saved.session, checkpoint: page.checkpoint });
  }

  // --- buttons and keys

  savePage(element);

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

  const actions = {
    write() {
      if (session.state === "writing") return session.pause();
      configure();
      if (session.state === "paused") return session.resume();
      page.stats.clickedAt = performance.now();
      page.stats.firstCharacterMs = null;
      closeDrawer();
      return session.write(fresh());
    },
    step: () => session.step(fresh()),
    stop: () => session.stop(),
    clear: () => session.clear(),
    read() {
      closeDrawer();
      page.scoredText = $("#cr-passage").value;
      page.emit("score-text");
      const { seed, characters } = fresh();
      return session.read({ text: page.scoredText, seed, characters });
    },
  };
  for (const [name, act] of Object.entries(actions)) $(`[data-action="${name}"]`).addEventListener("click", act);

  const showOrigin = createCheckpointSource(element, () => send("refresh", { checkpoint: page.checkpoint }));
  createShare(element, request);
  const open = createLinkHandler(element, showSettings);
  const closeDrawer = createDrawer($("#cr-settings"), $(".cr-open"), $(".cr-close"));
  bindShortcuts(actions, closeDrawer);
  const keys = $(".cr-keys");
  const showKeys = () => keys.open || keys.showModal();
  $('[data-action="keys"]').addEventListener("click", showKeys);
  page.on("show-shortcuts", showKeys);
  keys.querySelector("button").addEventListener("click", () => keys.close());

  return fill;
}

/** Index of the closest speed by ratio; 0 is as fast as possible. */
function nearest(speeds, speed) {
  const far = (each) => (speed && each ? Math.abs(Math.log(each / speed)) : each === speed ? 0 : Infinity);
  return speeds.reduce((best, each, i) => (far(each) < far(speeds[best]) ? i : best), 0);
}
