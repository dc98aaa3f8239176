// Surprisal difference of two models: the text colored by Δ bits, and Δ by character class and by context.

import { createViewQuery } from "../components/view_query.js";
import { createFigure } from "../components/plot/figure.js";
import { createTable } from "../components/table/table.js";
import { bindTextForm } from "../components/text_form.js";
import { createSurprisalText } from "./surprisal_text.js";
import { createModelForms } from "../components/model_pair.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const form = $("form");
  const pair = createModelForms(form, { withSampling: false, changed: () => view.ask() });
  function show(answer) {
    if (answer.busy) return;
    showText(answer);
    showFigure({ ...answer, words: answer.figure_words || "" });
    $(".cr-numbers").hidden = !answer.table;
    showTable(answer.table, null);
  }
  const view = createViewQuery({ element, send, request: () => ({ form: { ...pair.values(), text: text() } }), show, busyText: "Reading …" });
  const showText = createSurprisalText($(".cr-delta"));
  const showFigure = createFigure($(".cr-plot"), view.say);
  const showTable = createTable($(".cr-table"));

  form.addEventListener("change", (event) => event.target !== form.elements.text && view.ask());
  const text = bindTextForm(form, view.ask);

  return view.receive;
}
