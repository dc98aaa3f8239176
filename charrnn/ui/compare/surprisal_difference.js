// Surprisal difference of two models: the text colored by Δ bits, and Δ by character class.

import { createViewQuery } from "../components/view_query.js";
import { createFigure } from "../components/plot/plotly_figure.js";
import { createTable } from "../components/table/table.js";
import { titleOf } from "../components/offered_models.js";
import { page } from "../components/page_state.js";
import { bindTextForm } from "../components/text_form.js";
import { createSurprisalText } from "./surprisal_text.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const text = bindTextForm($("form"), () => view.ask());

  function request() {
    if (!page.compared) return null;
    const { A, B } = page.compared;
    return { form: { A: { checkpoint: A }, B: { checkpoint: B }, text: text() } };
  }
  function show(answer) {
    if (answer.busy) return;
    showText(answer);
    showFigure({ ...answer, words: answer.figure_words || "" });
    $(".cr-means").hidden = !answer.table;
    showTable(answer.table, null);
  }
  function showNames() {
    if (page.compared) $(".cr-names").textContent = `A (${titleOf(page.compared.A)}) vs B (${titleOf(page.compared.B)})`;
  }
  const view = createViewQuery({ element, send, request, show, busyText: "Reading …", onAsk: showNames });
  const showText = createSurprisalText($(".cr-delta"));
  const showFigure = createFigure($(".cr-plot"), view.say);
  const showTable = createTable($(".cr-table"));
  page.on("pair-changed", view.ask);

  return view.receive;
}
