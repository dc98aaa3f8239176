// Leaderboard: the best unit for each concept, and for a custom regular expression.

import { createViewQuery } from "../components/view_query.js";
import { splitAround } from "../components/code_points.js";
import { create, setOptions } from "../components/create_element.js";
import { page } from "../components/page_state.js";
import { createTable } from "../components/table/table.js";
import { bindTextForm } from "../components/text_form.js";
import { headingOf, registerUnlinked } from "../components/unlinked.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const form = $("form");
  const { pattern, view: views } = form.elements;
  const errorBox = $(".cr-pattern-error");
  const submitted = { text: "", pattern: "" };
  let chosen = ""; // by the user: what the units are of

  const request = () => ({ form: { view: views.value || null, ...submitted } });
  const view = createViewQuery({ element, send, request, show, busyText: "Reading …" });
  const showTable = createTable($(".cr-table"));

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
    if (answer.table || !answer.busy) showTable(answer.table, null);
  }

  return view.receive;
}
