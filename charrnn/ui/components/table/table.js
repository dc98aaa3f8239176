// A sortable table. Cells contain text, numbers, and links to the web or to parts of the page.

import { create } from "../create_element.js";
import { navigate } from "../navigate.js";
import { swatch } from "../plot/model_checkboxes.js";

/** Return the contents of a cell. */
function cellContents(cell, models) {
  const parts = [];
  const model = cell.model && models?.find((m) => m.name === cell.model);
  if (model) parts.push(swatch(model));
  if (cell.link) parts.push(create("a", { href: cell.link, target: "_blank", rel: "noopener noreferrer" }, cell.text));
  else if (cell.text) parts.push(cell.text);
  if (cell.note) parts.push(": " + cell.note);
  for (const target of cell.go || []) {
    parts.push(create("button", { type: "button", className: "cr-go", onclick: () => navigate(target) }, target.text));
  }
  return parts;
}

/** Compare two rows by a column: numbers by value, else by text. */
const comparison = (index) => (a, b) => {
  const [left, right] = [a.cells[index], b.cells[index]];
  if (left.value !== undefined && right.value !== undefined) return left.value - right.value;
  return left.text.localeCompare(right.text);
};

/** Return a function that shows a table (of `Table.to_json`) in this box, with the line swatches of these models. */
export function createTable(box) {
  let sorted = null; // {column, direction}: the user's sort order stays when the table changes

  function draw(data, models) {
    const table = create("table");
    table.createCaption().append(create("span", {}, data.caption)); // the caption is as wide as its table, which may be scrolled
    const head = table.createTHead().insertRow();
    const numeric = (i) => data.columns[i].numeric;
    table.classList.toggle("cr-figures", data.columns.some((column) => column.numeric));
    data.columns.forEach((column, i) => {
      const title = create("th", { scope: "col" });
      title.classList.toggle("cr-number", column.numeric);
      const direction = sorted?.column === i ? sorted.direction : 0;
      if (direction) title.ariaSort = direction > 0 ? "ascending" : "descending";
      if (data.sortable) {
        const sort = () => {
          sorted = { column: i, direction: direction ? -direction : 1 };
          draw(data, models);
          box.querySelectorAll("thead button")[i].focus();
        };
        title.append(create("button", { type: "button", onclick: sort }, column.title));
      } else {
        title.append(column.title);
      }
      head.append(title);
    });
    const rows = [...data.rows];
    if (sorted) {
      const hasValue = (row) => !numeric(sorted.column) || row.cells[sorted.column].value !== undefined;
      const compare = comparison(sorted.column);
      rows.sort((a, b) => hasValue(b) - hasValue(a) || sorted.direction * compare(a, b)); // missing values come last
    }
    const body = table.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      line.classList.toggle("cr-quiet", row.quiet);
      row.cells.forEach((cell, i) => {
        const properties = { className: numeric(i) ? "cr-number" : "", dataset: { title: data.columns[i].title } };
        line.append(create(i ? "td" : "th", i ? properties : { scope: "row", ...properties }, ...cellContents(cell, models)));
      });
    }
    box.replaceChildren(table);
    updateFocusable();
  }

  /** Make the table focusable if it overflows, so that the arrow keys scroll it. */
  function updateFocusable() {
    box.style.setProperty("--cr-room", box.clientWidth + "px");
    const scrolls = box.scrollWidth > box.clientWidth;
    for (const [name, value] of [["tabindex", 0], ["role", "region"], ["aria-label", box.querySelector("caption")?.textContent]]) {
      scrolls ? box.setAttribute(name, value) : box.removeAttribute(name);
    }
  }
  if (box) new ResizeObserver(updateFocusable).observe(box);

  return (data, models) => {
    if (!box) return;
    box.hidden = !data;
    if (!data) return;
    if (!sorted && data.sorted !== null) sorted = { column: data.sorted, direction: 1 };
    draw(data, models);
  };
}
