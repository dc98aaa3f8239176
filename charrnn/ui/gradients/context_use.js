// The memory that is used: a figure that follows the ticks, the picker and the own text of the tab.

import { asking } from "../components/view_query.js";
import { page } from "../components/page_state.js";
import { figureIn } from "../components/plot/figure.js";
import { tableIn } from "../components/table/table.js";

/** Set up the view; returns what takes the server's answers. */
export function mount({ element, send }) {
  const words = element.querySelector(".cr-plot-words");
  const say = (text) => (words.textContent = text);
  const request = () => ({ form: { text: page.ownText || "" } });
  const view = asking({ element, send, request, asked: () => say("Reading …"), lazily: true });
  const showFigure = figureIn(element.querySelector(".cr-plot"), say);
  const showTable = tableIn(element.querySelector(".cr-table"));
  for (const change of ["measuring", "ticked", "own-text"]) page.on(change, view.ask);

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
