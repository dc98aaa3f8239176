// A view of a table with a heading.

import { createViewQuery } from "../view_query.js";
import { createTable } from "./table.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const showTable = createTable(element.querySelector(".cr-table"));
  return createViewQuery({ element, send, show: ({ table, models }) => showTable(table, models) }).receive;
}
