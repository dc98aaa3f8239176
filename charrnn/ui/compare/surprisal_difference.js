// Surprisal difference of two models: the text colored by Δ bits, and Δ by character class and by context.

import { createViewQuery } from "../components/view_query.js";
import { createFigure } from "../components/plot/figure.js";
import { createTable } from "../components/table/table.js";
import { textForm } from "../components/text_form.js";
import { createSurprisalText } from "./surprisal_text.js";
import { createModelForms } from "../components/model_pair.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const form = $("form");
  const sides = createModelForms(form, false);
  function show(answer) {
    sides.offer(answer);
    if (answer.busy) return;
    showPassage(answer);
    showFigure({ ...answer, words: answer.figure_words || "" });
    $(".cr-numbers").hidden = !answer.table;
    showTable(answer.table, null);
  }
  const view = createViewQuery({ element, send, request: () => ({ form: { ...sides.values(), text: text() } }), show, asking: "Reading …" });
  const showPassage = createSurprisalText($(".cr-delta"));
  const showFigure = createFigure($(".cr-plot"), view.say);
  const showTable = createTable($(".cr-table"));

  form.addEventListener("change", (event) => event.target !== form.elements.text && view.ask());
  const text = textForm(form, view.ask);

  return view.receive;
}
