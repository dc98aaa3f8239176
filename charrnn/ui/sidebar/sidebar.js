// The left column: model, sliders, prompt and buttons. It sets page.settings and calls the session.

import { create, setOptions } from "../components/create_element.js";
import { page } from "../components/page_state.js";
import { preparePrint } from "../components/print_theme.js";
import { showSlider } from "../components/slider.js";
import { configure, provider, session } from "../session/page_session.js";
import { NO_INTERVENTIONS } from "../session/session.js";
import { restorePage, savedPage, savePage } from "../session/saved_page.js";
import { openTab } from "../components/navigate.js";
import { createDrawer } from "./drawer.js";
import { announceChanges } from "./announcements.js";
import { bindShortcuts } from "./keyboard.js";
import { createLinkHandler } from "./apply_link.js";
import { createCheckpointSource } from "./checkpoint_source.js";
import { showNotices } from "./notice.js";
import { createShare } from "./share.js";
import { onOpenTab, tabName } from "./open_tab.js";
import { bindTabKeys } from "./tab_keys.js";

const NEW_SEEDS = 1_000_000; // New text draws one of them
const SPEEDS = [1, 2, 5, 10, 20, 30, 60, 120, 0]; // characters per second; 0 is as fast as possible

// Formats of the slider values.
const FORMATS = {
  temperature: (x) => (x === 0 ? "0 (always the likeliest)" : x.toFixed(2)),
  top_k: (x) => (x === 0 ? "off" : String(x)),
  top_p: (x) => (x === 1 ? "off" : x.toFixed(2)),
  min_p: (x) => (x === 0 ? "off" : x.toFixed(2)),
  speed: (x) => (x === 0 ? "as fast as possible" : x + " characters/s"),
  step: (x) => x.toLocaleString("en") + " steps" + (x === 0 ? " (untrained)" : ""),
};

/** Set up the column; returns a function that takes the model list from the server. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const slider = (name) => $("#cr-" + name);
  let isFirst = true; // before the first model list
  let pending = null; // timer of changed settings that are not applied yet
  let modelTimer = null; // of a change of the step that is not applied yet

  const model = () => page.models.find((m) => m.name === $("#cr-model").value);
  const valueOf = (name) => {
    const raw = Number(slider(name).value);
    if (name === "speed") return SPEEDS[raw];
    if (name === "step") return model() ? model().steps[raw] : 0;
    return raw;
  };

  /** Show the value of a setting. */
  function show(name) {
    showSlider(slider(name), FORMATS[name](page.settings[name] ?? valueOf(name))); // a link can be more exact than a slider
  }

  /** Return the value of a number input; the session validates it. */
  const numberOf = (selector) => ($(selector).value === "" ? "" : Number($(selector).value));

  /** Return the prompt; the default prompt is replaced by that of the model. */
  function promptText() {
    const typed = $("#cr-prompt").value;
    return typed === page.defaults?.prompt ? (model()?.prompt ?? typed) : typed;
  }

  const generation = () => ({ prompt: promptText(), seed: numberOf("#cr-seed"), characters: numberOf("#cr-characters") });

  /** Return all settings of a new text; other views generate with the same ones. */
  const request = () => ({ ...page.settings, ...generation(), checkpoint: page.checkpoint });
  page.request = request;

  /** Apply the settings to the session, and return the arguments for a new text. */
  function newText() {
    configure();
    session.checkpoint = page.checkpoint;
    return generation();
  }

  function applySettings() {
    pending = null;
    configure();
  }

  for (const name of Object.keys(page.settings)) {
    slider(name).addEventListener("input", () => {
      page.settings[name] = valueOf(name);
      show(name);
      page.emit("settings");
      pending ??= setTimeout(applySettings, 30); // a dragged slider requests new characters about thirty times a second
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

  /** Show the selected model at this training step, or at its last one if it has no such step. */
  function showModel(step) {
    if (!model()) return;
    const { title, characters, steps } = model();
    $(".cr-model-name").textContent = title;
    slider("top_k").max = characters;
    show("top_k");
    const input = slider("step");
    const last = steps.length - 1;
    input.max = last;
    input.value = steps.includes(step) ? steps.indexOf(step) : last;
    input.disabled = steps.length < 2;
    const tick = (value, i) => {
      const label = value >= 1000 && value % 100 === 0 ? value / 1000 + "k" : value;
      return create("span", { style: `--at: ${last > 0 ? i / last : 0}` }, label);
    };
    $(".cr-ticks").replaceChildren(...steps.map(tick));
    showStep();
  }

  /** Show the step, and the size and quality of the network, which was measured at the last step. */
  function showStep() {
    const { size, quality, steps } = model();
    const isTrained = valueOf("step") === steps.at(-1);
    $(".cr-model-facts").textContent = size + (quality && ` · ${isTrained ? "" : "fully trained: "}${quality} (lower is better)`);
    show("step");
  }

  function modelChanged(rewrites = $("#cr-again").checked) {
    page.checkpoint = { name: model().name, step: valueOf("step") };
    page.emit("checkpoint-changed");
    if (rewrites && hasWritten()) return session.rewrite({ checkpoint: page.checkpoint });
    return session.choose(page.checkpoint);
  }
  const hasWritten = () => session.state !== "empty" && session.written > 0;

  $("#cr-model").addEventListener("change", () => {
    showModel(page.checkpoint?.step);
    modelChanged();
  });
  slider("step").addEventListener("input", () => {
    showStep();
    clearTimeout(modelTimer);
    modelTimer = setTimeout(() => modelChanged(), 40);
  });

  /** Show the model list: of the first visit, a scene, or a refresh. */
  function receive(value) {
    const list = JSON.parse(value);
    if (list.scene && list.scene !== page.requestedScene) return; // the lecture has moved on
    const [sha256, hadModels] = [model()?.sha256, page.models.length > 0];
    showOrigin(list.origin, list.status);
    if (list.refreshed && list.models.length && !hadModels) {
      location.reload();
      return;
    }
    if (list.refreshed) provider.forget();
    page.models = list.models;
    page.emit("models-changed");
    const options = page.models.map(({ name, title, size, quality }) => ({ name, title: [title, size, quality].filter(Boolean).join(" · ") }));
    setOptions($("#cr-model"), options, list.chosen?.name);
    if (!page.models.length) {
      $(".cr-model-name").textContent = "none";
      $(".cr-model-facts").textContent = list.problem;
      session.say({ kind: "problem", text: list.problem });
      return;
    }
    $(".cr-refused").textContent = list.refused && "Could not load: " + list.refused;
    showModel(list.chosen.step);
    page.checkpoint = { name: list.chosen.name, step: list.chosen.step };
    if (list.refreshed) {
      if (model().sha256 !== sha256) modelChanged();
      return;
    }
    Object.assign(page, { defaults: list.defaults, tabs: list.tabs });
    applyLink(list.link);
    const saved = isFirst ? savedPage() : null;
    isFirst = false;
    session.preface = list.notice;
    if (saved) restore(saved);
    else begin(list.link || list.defaults);
  }

  /** Generate or score the text of a link, a scene or the defaults, without pacing. */
  function begin({ prompt, read, write, seed, characters, edits, view = "" }) {
    configure();
    Object.assign(session, { checkpoint: page.checkpoint, view, interventions: NO_INTERVENTIONS });
    if (read) return session.read({ text: read, seed, characters, write });
    return session.write({ prompt, seed, characters, edits, instant: true });
  }

  /** Restore the model, the settings and the rest of the page after a reload. */
  function restore(saved) {
    const { checkpoint, settings, speed } = saved.session;
    Object.assign(page.settings, settings, { speed });
    showSettings();
    if (checkpoint && page.models.some((m) => m.name === checkpoint.name)) {
      $("#cr-model").value = checkpoint.name;
      showModel(checkpoint.step);
      page.checkpoint = { name: checkpoint.name, step: valueOf("step") };
    }
    return restorePage(element, saved);
  }

  // --- buttons and keys

  savePage(element);
  page.on("step-requested", (step) => {
    showModel(step);
    modelChanged(true);
  });
  page.on("setting-requested", (input) => drawer.open(input));
  page.on("own-text-requested", () => {
    $(".cr-reading").open = true;
    drawer.open($("#cr-passage"));
    $(".cr-reading").scrollIntoView({ block: "nearest" });
  });

  const primary = $('[data-action="write"]');
  function showState() {
    const labels = { writing: "Pause", paused: "Continue", finished: "Write again" };
    primary.firstElementChild.textContent = labels[page.state] || "Write";
    primary.title = page.state === "finished" ? "With the same random numbers: the same text, if no setting has changed" : "";
    $('[data-action="stop"]').disabled = !(page.state === "writing" || page.state === "paused");
    $('[data-action="step"]').disabled = page.state === "writing";
    $('[data-action="clear"]').disabled = page.state === "empty";
    element.querySelector(".cr-controls").dataset.state = page.state;
  }
  page.on("state", showState);
  showState();

  /** Write a text with the settings of the column. */
  function write() {
    page.stats.clickedAt = performance.now();
    page.stats.firstCharacterMs = null;
    drawer.close();
    return session.write(newText());
  }

  const actions = {
    write() {
      if (session.state === "writing") return session.pause();
      configure();
      if (session.state === "paused") return session.resume();
      return write();
    },
    new() {
      $("#cr-seed").value = Math.floor(Math.random() * NEW_SEEDS);
      return write();
    },
    step: () => session.step(newText()),
    stop: () => session.stop(),
    clear: () => session.clear(),
    read() {
      drawer.close();
      page.scoredText = $("#cr-passage").value;
      page.emit("score-text");
      const { seed, characters } = newText();
      return session.read({ text: page.scoredText, seed, characters });
    },
  };
  const ends = (name) => name === "stop" || (name === "write" && session.state === "writing");
  for (const [name, act] of Object.entries(actions)) {
    $(`[data-action="${name}"]`).addEventListener("click", () => {
      if (!ends(name)) openTab(page.tabs?.write); // which shows the effect
      return act();
    });
  }

  const showOrigin = createCheckpointSource(element, () => send("refresh", { checkpoint: page.checkpoint }));
  showNotices($(".cr-notice"));
  createShare(element, request);
  const applyLink = createLinkHandler(element, showSettings);
  const drawer = createDrawer({
    settings: $("#cr-settings"),
    opener: $(".cr-open"),
    closer: $(".cr-close"),
    actions: $(".cr-actions"),
    steps: $(".cr-steps"),
    share: $(".cr-share"),
  });
  bindShortcuts(actions, drawer.close, $("#cr-single-keys"));
  onOpenTab((tab) => {
    const row = tab.parentElement; // which scrolls in a narrow window
    row.scrollLeft = tab.offsetLeft + tab.offsetWidth - row.offsetLeft - row.clientWidth;
    for (const part of element.querySelectorAll("[data-tabs]")) part.hidden = !part.dataset.tabs.split(" ").includes(tabName(tab));
  });
  bindTabKeys();
  announceChanges($(".cr-announced"));
  $(".cr-skip").addEventListener("click", () => document.querySelector('[role=tab][aria-selected="true"]').focus());
  const keys = $(".cr-keys");
  const showKeys = () => keys.open || keys.showModal();
  $('[data-action="keys"]').addEventListener("click", showKeys);
  page.on("show-shortcuts", showKeys);
  keys.querySelector("button").addEventListener("click", () => keys.close());
  preparePrint();

  return receive;
}

/** Return the index of the closest speed by ratio; 0 is as fast as possible. */
function nearest(speeds, speed) {
  const distance = (other) => (speed && other ? Math.abs(Math.log(other / speed)) : other === speed ? 0 : Infinity);
  return speeds.reduce((best, other, i) => (distance(other) < distance(speeds[best]) ? i : best), 0);
}
