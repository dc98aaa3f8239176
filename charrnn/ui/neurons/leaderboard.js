// Leaderboard: the best unit for each concept, and a custom regex.

import { createViewQuery } from "../components/view_query.js";
import { cutAt } from "../components/code_points.js";
import { create } from "../components/create_element.js";
import { page } from "../components/page_state.js";
import { createTable } from "../components/table/table.js";
import { textForm } from "../components/text_form.js";
import { offerViews } from "../components/unit_selection.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const form = $("form");
  const { pattern, view: views } = form.elements;
  const wrong = $(".cr-pattern-error");
  const submitted = { text: "", pattern: "" }; // as submitted

  const request = () => ({ form: { view: views.value || null, ...submitted } });
  const view = createViewQuery({ element, send, request, show, asking: "Reading …" });
  const showTable = createTable($(".cr-table"));

  textForm(form, (passage) => {
    const other = passage !== submitted.text;
    Object.assign(submitted, { text: passage, pattern: pattern.value });
    view.ask();
    if (!other) return;
    page.unitText = passage;
    page.emit("unit-text");
  });

  views.addEventListener("change", view.ask);
  page.on("checkpoint-changed", view.ask);

  /** Show the pattern with the position of its error marked. */
  function showWrong(error) {
    wrong.hidden = !error;
    pattern.toggleAttribute("aria-invalid", !!error);
    if (!error) return;
    const [code, words] = wrong.children;
    const [before, character, after] = cutAt(submitted.pattern, error.position);
    code.replaceChildren(...(error.position === null ? [] : [before, create("mark", {}, character || "␣"), after]));
    words.textContent = error.words;
  }

  function show(answer) {
    if (answer.views) offerViews(views, answer.views, answer.view);
    showWrong(answer.pattern_error);
    if (answer.table || !answer.busy) showTable(answer.table, null);
  }

  return view.receive;
}
