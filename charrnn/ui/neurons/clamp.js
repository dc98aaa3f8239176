// Clamps: the text sampled with and without them, the first difference, and the loss on a held-out text.

import { createViewQuery } from "../components/view_query.js";
import { createDivergence } from "../components/divergence.js";
import { createTextPair } from "../components/text_pair.js";
import { navigate } from "../components/navigate.js";
import { page } from "../components/page_state.js";
import { writeWith } from "../session/interventions.js";
import { createTable } from "../components/table/table.js";
import { bindTextForm } from "../components/text_form.js";
import { createClampRows } from "./clamp_rows.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);

  const request = () => ({ form: { ...page.request(), clamps: page.clamps, neuron: page.selectedUnit ?? null, text: text() } });
  const view = createViewQuery({ element, send, request, show, busyText: "Writing …", pause: 150 });

  const rows = createClampRows($(".cr-clamps"), (clamps) => {
    page.clamps = clamps;
    page.clampsOf = page.checkpoint?.name;
    view.askLater();
  });
  const showTexts = createTextPair($(".cr-writers"));
  const showDivergence = createDivergence($(".cr-divergence"));
  const showTable = createTable($(".cr-table"));

  $(".cr-hold-more").addEventListener("click", rows.add);
  $(".cr-write-with").addEventListener("click", () => {
    writeWith({ clamps: page.appliedClamps });
    navigate({ tab: page.tabs.write });
  });
  const text = bindTextForm($("form"), view.ask);

  page.on("checkpoint-changed", () => {
    if (page.clampsOf !== page.checkpoint?.name) page.clamps = null; // clamps of another model
    view.ask();
  });
  page.on("settings", view.askLater);
  for (const name of ["prompt", "seed", "characters"]) document.querySelector("#cr-" + name)?.addEventListener("change", view.askLater);
  page.on("clamps", view.ask);
  page.on("unit-selected", (sender) => {
    if (!sender) page.clamps = null; // the selected unit is clamped
    if (!page.clamps) view.ask();
  });

  function show(answer) {
    $(".cr-cost").textContent = answer.cost || "";
    $(".cr-numbers").hidden = !answer.table;
    if (answer.table) return showTable(answer.table, null);
    if (answer.clamps) {
      page.appliedClamps = answer.clamps.map(({ name, unit, value }) => ({ name, unit, value }));
      if (page.clamps) page.clamps = page.appliedClamps; // with the values that the server chose
      page.emit("clamps-applied");
      rows.show(answer);
      $(".cr-usual-of").textContent = answer.usual_of;
    }
    showTexts(answer, answer.titles);
    $(".cr-why").hidden = !answer.divergence;
    showDivergence(answer.divergence, answer.titles);
  }

  return view.receive;
}
