// The slider of the recurrent scale, and the server's analyses of the scaled model.

import { create } from "../components/create_element.js";
import { createViewQuery } from "../components/view_query.js";
import { createTextPair } from "../components/text_pair.js";
import { navigate } from "../components/navigate.js";
import { page } from "../components/page_state.js";
import { createFigure } from "../components/plot/figure.js";
import { writeWith } from "../session/interventions.js";
import { createTable } from "../components/table/table.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const slider = $("#cr-knob-g");
  const gates = $(".cr-gates");
  const showTable = createTable($(".cr-table"));
  const showTexts = createTextPair($(".cr-writers"));

  function request() {
    const settings = page.request(); // of the sidebar
    const gate = gates.querySelector("input:checked")?.value;
    return { form: { ...settings, seed: settings.seed || 0, knob: Number(slider.value), gate, text: page.customText || "" } };
  }

  const view = createViewQuery({
    element,
    send,
    request,
    show: showAnswer,
    onAsk: () => element.classList.add("cr-busy"),
    lazily: true,
  });
  const figures = [...element.querySelectorAll("[data-figure]")].map((box) => [box.dataset.figure, createFigure(box, view.say)]);

  function show() {
    const g = Number(slider.value);
    const label = g.toFixed(2) + (g === 1 ? ", as trained" : "");
    slider.style.setProperty("--share", (g - slider.min) / (slider.max - slider.min));
    slider.setAttribute("aria-valuetext", label);
    $("output").textContent = label;
    $(".cr-knob-back").disabled = g === 1;
  }

  /** Set the slider from a link or a scene. */
  function adopt() {
    if (page.recurrentScale === null || Number(slider.value) === page.recurrentScale) return;
    slider.value = page.recurrentScale;
    show();
    view.askLater();
  }

  $(".cr-write-with").addEventListener("click", () => {
    writeWith({ recurrent_scale: Number(slider.value) });
    navigate({ tab: page.tabs.write });
  });

  function moved() {
    page.recurrentScale = Number(slider.value);
    show();
    view.askLater();
  }
  slider.addEventListener("input", moved);
  $(".cr-knob-back").addEventListener("click", () => {
    slider.value = 1;
    moved();
    slider.focus();
  });
  gates.addEventListener("change", view.ask);
  page.on("recurrent-scale", adopt);
  page.on("checkpoint-changed", view.ask);
  page.on("custom-text", view.ask);
  page.on("settings", view.askLater);
  show();
  adopt();

  function offerGates(names, picked) {
    const offered = [...gates.querySelectorAll("input")].map((input) => input.value);
    if (names.join() !== offered.join()) {
      gates.querySelectorAll("label").forEach((label) => label.remove());
      for (const name of names) {
        const input = create("input", { type: "radio", name: "gate", value: name });
        gates.append(create("label", {}, input, create("span", {}, "gate " + name)));
      }
    }
    gates.hidden = names.length < 2;
    gates.querySelectorAll("input").forEach((input) => (input.checked = input.value === picked));
  }

  function showAnswer(answer) {
    for (const [name, draw] of figures) {
      const figure = answer.figures?.[name];
      if (figure) draw({ figure: JSON.parse(figure.figure), words: figure.words });
      else if (!answer.busy) draw({ figure: null });
    }
    if (answer.gates?.length || !answer.busy) offerGates(answer.gates || [], answer.gate);
    if (answer.table || !answer.busy) showTable(answer.table);
    if (answer.texts || !answer.busy) showTexts(answer, answer.titles);
  }

  return view.receive;
}
