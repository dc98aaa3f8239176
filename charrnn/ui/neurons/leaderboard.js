// Leaderboard: the best unit for each concept, and for a custom regular expression, as cards and in a table.

import { createViewQuery } from "../components/view_query.js";
import { splitAround } from "../components/code_points.js";
import { create, setOptions } from "../components/create_element.js";
import { requirePython } from "../components/needs_python.js";
import { page } from "../components/page_state.js";
import { createTable } from "../components/table/table.js";
import { bindTextForm } from "../components/text_form.js";
import { headingOf, registerUnlinked } from "../components/unlinked_state.js";
import { createCards } from "./cards.js";
import { showUnit } from "./show_unit.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const form = $("form");
  const { pattern, view: views } = form.elements;
  const errorBox = $(".cr-pattern-error");
  const submitted = { text: "", pattern: "" };
  let chosen = ""; // the view that the user chose

  const request = () => ({ form: { view: chosen, ...submitted } });
  const view = createViewQuery({ element, send, request, show, busyText: "Reading …" });
  const showTable = createTable($(".cr-table"));
  const cards = createCards($(".cr-cards"), showUnit);

  requirePython(form.querySelectorAll(".cr-ask :is(input, button), .cr-own :is(textarea, button)"), $(".cr-own"));
  bindTextForm(form, (text) => {
    const isNew = text !== submitted.text;
    Object.assign(submitted, { text, pattern: pattern.value });
    view.ask();
    if (!isNew) return;
    page.unitText = text;
    page.emit("unit-text");
  });

  views.addEventListener("change", () => {
    chosen = views.value;
    view.ask();
  });
  registerUnlinked(() => submitted.pattern && "the pattern of " + headingOf(form));
  registerUnlinked(() => chosen && chosen === views.value && "the units of " + headingOf(form));
  page.on("checkpoint-changed", view.ask);
  page.on("unit-selected", () => cards.mark(page.selectedUnit));

  /** Show the pattern with the position of its error marked. */
  function showError(error) {
    errorBox.hidden = !error;
    pattern.toggleAttribute("aria-invalid", !!error);
    if (!error) return;
    const [code, message] = errorBox.children;
    const [before, character, after] = splitAround(submitted.pattern, error.position);
    code.replaceChildren(...(error.position === null ? [] : [before, create("mark", {}, character || "␣"), after]));
    message.textContent = error.words;
  }

  function show(answer) {
    if (answer.views) setOptions(views, answer.views, answer.view);
    showError(answer.pattern_error);
    if (!answer.table && answer.busy) return;
    cards.show(answer.cards ?? []);
    $(".cr-scale-key").hidden = !answer.cards?.length;
    $(".cr-all-concepts").hidden = !answer.table;
    if (answer.table) $(".cr-all-concepts summary").textContent = `All ${answer.table.rows.length}`;
    showTable(answer.table, null);
  }

  return view.receive;
}
