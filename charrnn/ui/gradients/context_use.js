// Context use: a figure that follows the selection, the picker and the custom text of the tab.

import { createViewQuery } from "../components/view_query.js";
import { page } from "../components/page_state.js";
import { createFigure } from "../components/plot/figure.js";
import { createTable } from "../components/table/table.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const words = element.querySelector(".cr-plot-words");
  const say = (text) => (words.textContent = text);
  const request = () => ({ form: { text: page.ownText || "" } });
  const view = createViewQuery({ element, send, request, asked: () => say("Reading …"), lazily: true });
  const showFigure = createFigure(element.querySelector(".cr-plot"), say);
  const showTable = createTable(element.querySelector(".cr-table"));
  for (const change of ["checkpoint-changed", "selection-changed", "custom-text"]) page.on(change, view.ask);

  return (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    say(answer.words);
    element.classList.toggle("cr-busy", !!answer.busy);
    if (!answer.figure && answer.busy) return;
    showFigure(answer);
    showTable(answer.table, answer.models);
  };
}
