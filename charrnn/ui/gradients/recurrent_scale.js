// The slider of the recurrent scale, and the server's analyses of the scaled model.

import { createViewQuery } from "../components/view_query.js";
import { createTextPair } from "../components/text_pair.js";
import { navigate } from "../components/navigate.js";
import { page } from "../components/page_state.js";
import { createFigure } from "../components/plot/figure.js";
import { writeWith } from "../session/interventions.js";
import { createTable } from "../components/table/table.js";

const PAUSE = 250; // milliseconds without a change before a query

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const slider = $("#cr-knob-g");
  const words = $(".cr-plot-words");
  const gates = $(".cr-gates");
  const say = (text) => (words.textContent = text);
  const boxes = [...element.querySelectorAll("[data-figure]")];
  const draw = Object.fromEntries(boxes.map((box) => [box.dataset.figure, createFigure(box, say)]));
  const showTable = createTable($(".cr-table"));
  const showTexts = createTextPair($(".cr-writers"));
  let timer = null;

  /** Generation settings of the sidebar. */
  function chosen() {
    const { temperature, top_k, top_p, min_p, prompt, seed } = page.request();
    const gate = gates.querySelector("input:checked")?.value;
    return { knob: Number(slider.value), gate, temperature, top_k, top_p, min_p, prompt, seed: seed === "" ? 0 : seed, text: page.ownText || "" };
  }

  const view = createViewQuery({
    element,
    send,
    request: () => ({ form: chosen() }),
    asked: () => element.classList.add("cr-busy"),
    lazily: true,
  });
  function soon() {
    clearTimeout(timer);
    timer = setTimeout(view.ask, PAUSE);
  }

  function show() {
    const g = Number(slider.value);
    const said = g.toFixed(2) + (g === 1 ? ", as trained" : "");
    slider.style.setProperty("--share", (g - slider.min) / (slider.max - slider.min));
    slider.setAttribute("aria-valuetext", said);
    $("output").textContent = said;
    $(".cr-knob-back").disabled = g === 1;
  }

  /** Set the slider from a link or a scene. */
  function follow() {
    if (page.knob === null || Number(slider.value) === page.knob) return;
    slider.value = page.knob;
    show();
    soon();
  }

  $(".cr-write-with").addEventListener("click", () => {
    writeWith({ recurrent_scale: Number(slider.value) });
    navigate({ tab: page.tabs.write });
  });

  function turned() {
    page.knob = Number(slider.value);
    show();
    soon();
  }
  slider.addEventListener("input", turned);
  $(".cr-knob-back").addEventListener("click", () => {
    slider.value = 1;
    turned();
    slider.focus();
  });
  gates.addEventListener("change", view.ask);
  element.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  page.on("recurrent-scale", follow);
  page.on("checkpoint-changed", view.ask);
  page.on("custom-text", view.ask);
  page.on("settings", soon);
  show();
  follow();

  function offerGates(names, picked) {
    const offered = [...gates.querySelectorAll("input")].map((input) => input.value);
    if (names.join() !== offered.join()) {
      gates.querySelectorAll("label").forEach((label) => label.remove());
      for (const name of names) {
        const label = document.createElement("label");
        const input = document.createElement("input");
        Object.assign(input, { type: "radio", name: "gate", value: name });
        const text = document.createElement("span");
        text.textContent = "gate " + name;
        label.append(input, text);
        gates.append(label);
      }
    }
    gates.hidden = names.length < 2;
    gates.querySelectorAll("input").forEach((input) => (input.checked = input.value === picked));
  }

  return (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    say(answer.words);
    element.classList.toggle("cr-busy", !!answer.busy);
    const figures = answer.figures || {};
    for (const [name, show] of Object.entries(draw)) {
      const figure = figures[name];
      if (figure) show({ figure: JSON.parse(figure.figure), words: figure.words });
      else if (!answer.busy) show({ figure: null });
    }
    if (answer.gates?.length || !answer.busy) offerGates(answer.gates || [], answer.gate);
    if (answer.table || !answer.busy) showTable(answer.table);
    if (answer.texts || !answer.busy) showTexts(answer, answer.titles);
  };
}
