// The surprisal difference of two models: the text colored by Δ bits, and Δ by character class and by context.

import { createViewQuery } from "../components/view_query.js";
import { createFigure } from "../components/plot/figure.js";
import { createTable } from "../components/table/table.js";
import { textForm } from "../components/text_form.js";
import { createSurprisalText } from "./surprisal_text.js";
import { createModelForms } from "../components/model_pair.js";

/** Set up the view; returns what takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const form = $("form");
  const numbers = $(".cr-numbers");
  const say = (words) => ($(".cr-plot-words").textContent = words);
  let text = ""; // that is read

  const sides = createModelForms(form, false);
  const request = () => ({ form: { ...sides.said(), text } });
  const view = createViewQuery({ element, send, request, asked: () => say("Reading …") });
  const showPassage = createSurprisalText($(".cr-delta"));
  const showFigure = createFigure($(".cr-plot"), say);
  const showTable = createTable($(".cr-table"));

  form.addEventListener("change", (event) => event.target !== form.elements.text && view.ask());
  textForm(form, (given) => {
    text = given;
    view.ask();
  });

  return (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    say(answer.words);
    sides.offer(answer);
    element.classList.toggle("cr-busy", !!answer.busy);
    if (answer.busy) return;
    showPassage(answer);
    showFigure({ ...answer, words: answer.figure_words || "" });
    numbers.hidden = !answer.table;
    showTable(answer.table, null);
  };
}
