// A view of a table with a heading.

import { createViewQuery } from "../view_query.js";
import { createTable } from "./table.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const words = element.querySelector(".cr-plot-words");
  const view = createViewQuery({ element, send, request: () => ({}) });
  const show = createTable(element.querySelector(".cr-table"));
  return (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    words.textContent = answer.words;
    show(answer.table, answer.models);
  };
}
