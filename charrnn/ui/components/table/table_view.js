// A table with a heading, as a view of its own.

import { asking } from "../view_query.js";
import { tableIn } from "./table.js";

/** Set up the view; returns what takes the server's answers. */
export function mount({ element, send }) {
  const words = element.querySelector(".cr-plot-words");
  const view = asking({ element, send, request: () => ({}) });
  const show = tableIn(element.querySelector(".cr-table"));
  return (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    words.textContent = answer.words;
    show(answer.table, answer.models);
  };
}
