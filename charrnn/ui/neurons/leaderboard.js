// The leaderboard: which unit stands for what, and a concept of the visitor's own.

import { createViewQuery } from "../components/view_query.js";
import { cutAt } from "../components/code_points.js";
import { page } from "../components/page_state.js";
import { createTable } from "../components/table/table.js";
import { textForm } from "../components/text_form.js";
import { offerViews } from "../components/unit_selection.js";

/** Set up the view; returns what takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const form = $("form");
  const { pattern, view: views } = form.elements;
  const wrong = $(".cr-pattern-error");
  const say = (words) => ($(".cr-plot-words").textContent = words);
  const said = { text: "", pattern: "" }; // they count when the button is pressed

  const request = () => ({ form: { view: views.value || null, ...said } });
  const view = createViewQuery({ element, send, request, asked: () => say("Reading …") });
  const showTable = createTable($(".cr-table"));

  textForm(form, (passage) => {
    const other = passage !== said.text;
    Object.assign(said, { text: passage, pattern: pattern.value });
    view.ask();
    if (!other) return;
    page.neuronText = passage;
    page.emit("unit-text");
  });

  views.addEventListener("change", () => view.ask());
  page.on("checkpoint-changed", view.ask);

  /** The pattern again, the place of its error marked. */
  function showWrong(error) {
    wrong.hidden = !error;
    pattern.toggleAttribute("aria-invalid", !!error);
    if (!error) return;
    const [code, words] = wrong.children;
    const mark = document.createElement("mark");
    const at = error.position;
    const [before, character, after] = at === null ? [] : cutAt(said.pattern, at);
    mark.textContent = character || "␣";
    code.replaceChildren(...(at === null ? [] : [before, mark, after]));
    words.textContent = error.words;
  }

  return (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    say(answer.words);
    element.classList.toggle("cr-busy", !!answer.busy);
    if (answer.views) offerViews(views, answer.views, answer.view);
    showWrong(answer.pattern_error);
    if (answer.table || !answer.busy) showTable(answer.table, null);
  };
}
