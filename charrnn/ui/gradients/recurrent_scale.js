// The slider of the recurrent scale, and the analyses of the scaled model.

import { create } from "../components/create_element.js";
import { createViewQuery } from "../components/view_query.js";
import { navigate } from "../components/navigate.js";
import { page } from "../components/page_state.js";
import { createFigure } from "../components/plot/plotly_figure.js";
import { showSlider } from "../components/slider.js";
import { createCoupledTexts, onTextSettings, writerOf } from "../session/coupled_view.js";
import { writeWith } from "../session/interventions.js";
import { createTable } from "../components/table/table.js";

const TEXT_CHARS = 200;

const titleOf = (g) => "× " + (g === 1 ? 1 : g.toFixed(2));

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const slider = $("#cr-knob-g");
  const gates = $(".cr-gates");
  const product = $(".cr-product");
  const showTable = createTable($(".cr-table"));

  function request() {
    const gate = gates.querySelector("input:checked")?.value;
    return { form: { knob: Number(slider.value), gate, text: page.customText, product: product.open } };
  }

  const view = createViewQuery({
    element,
    send,
    request,
    show,
    onAsk: () => element.classList.add("cr-busy"),
    lazily: true,
  });
  function textRequest() {
    const { checkpoint, prompt, seed, ...values } = page.request();
    const scales = [...new Set([1, Number(slider.value)])];
    return {
      writers: scales.map((g) => writerOf(checkpoint, values, { recurrent_scale: g })),
      prompt,
      seed,
      characters: TEXT_CHARS,
      titles: scales.map(titleOf),
      whyIdentical: "the change never mattered for these random numbers",
    };
  }
  const texts = createCoupledTexts({ element, request: textRequest, lazily: true });
  const boxes = Object.fromEntries([...element.querySelectorAll("[data-figure]")].map((box) => [box.dataset.figure, box]));
  const figures = Object.entries(boxes).map(([name, box]) => [name, createFigure(box, view.say)]);

  /** Show the value of the slider. */
  function showScale() {
    const g = Number(slider.value);
    showSlider(slider, g.toFixed(2) + (g === 1 ? ", as trained" : ""));
    $(".cr-knob-back").disabled = g === 1;
  }

  /** Set the slider from a link or a scene. */
  function followPage() {
    if (page.recurrentScale === null || Number(slider.value) === page.recurrentScale) return;
    slider.value = page.recurrentScale;
    showScale();
    askLater();
  }

  function askLater() {
    view.askLater();
    texts.askLater();
  }

  $(".cr-write-with").addEventListener("click", () => {
    writeWith({ recurrent_scale: Number(slider.value) });
    navigate({ tab: page.tabs.write });
  });

  function onMove() {
    page.recurrentScale = Number(slider.value);
    showScale();
    askLater();
  }
  slider.addEventListener("input", onMove);
  $(".cr-knob-back").addEventListener("click", () => {
    slider.value = 1;
    onMove();
    slider.focus();
  });
  gates.addEventListener("change", view.ask);
  product.addEventListener("toggle", () => product.open && boxes.product.hidden && view.ask()); // a closed fold is not measured
  page.on("recurrent-scale", followPage);
  page.on("checkpoint-changed", () => {
    view.ask();
    texts.ask();
  });
  page.on("custom-text", view.ask);
  onTextSettings(texts.askLater);
  showScale();
  followPage();

  function offerGates(names, chosen) {
    const offered = [...gates.querySelectorAll("input")].map((input) => input.value);
    if (names.join() !== offered.join()) {
      gates.querySelectorAll("label").forEach((label) => label.remove());
      for (const name of names) {
        const input = create("input", { type: "radio", name: "gate", value: name });
        gates.append(create("label", {}, input, create("span", {}, "gate " + name)));
      }
    }
    gates.hidden = names.length < 2;
    gates.querySelectorAll("input").forEach((input) => (input.checked = input.value === chosen));
  }

  function show(answer) {
    for (const [name, draw] of figures) {
      const figure = answer.figures?.[name];
      if (figure) draw({ figure: JSON.parse(figure.figure), words: figure.words });
      else if (!answer.busy) draw({ figure: null });
    }
    const isRefused = !answer.figures && !answer.busy;
    for (const section of element.querySelectorAll(".cr-knob-columns > section")) section.classList.toggle("cr-refused", isRefused);
    if (answer.gates?.length || !answer.busy) offerGates(answer.gates || [], answer.gate);
    if (answer.table || !answer.busy) showTable(answer.table);
    $(".cr-folds").hidden = isRefused;
  }

  return view.receive;
}
