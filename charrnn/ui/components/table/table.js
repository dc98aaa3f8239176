// A sortable table. Cells contain text, numbers, commands, links and links to other parts of the page.

import { create } from "../create_element.js";
import { navigate } from "../navigate.js";
import { swatch } from "../plot/model_checkboxes.js";

function cellOf(cell, models) {
  const parts = [];
  const model = cell.model && models?.find((m) => m.name === cell.model);
  if (model) parts.push(swatch(model));
  if (cell.link) parts.push(create("a", { href: cell.link, target: "_blank", rel: "noopener noreferrer" }, cell.text));
  else if (cell.text) parts.push(cell.text);
  if (cell.note) parts.push(": " + cell.note);
  for (const line of cell.code || []) parts.push(create("code", {}, line));
  for (const target of cell.go || []) {
    parts.push(create("button", { type: "button", className: "cr-go", onclick: () => navigate(target) }, target.text));
  }
  return parts;
}

const by = (index) => (a, b) => {
  const [left, right] = [a.cells[index], b.cells[index]];
  if (left.value !== undefined && right.value !== undefined) return left.value - right.value;
  return left.text.localeCompare(right.text);
};

/** Returns a function that takes a table (of `Table.to_json`) and the models with their line swatches. */
export function createTable(box) {
  let sorted = null; // {column, direction}: the user's sort order is kept when the table changes

  function draw(sent, models) {
    const table = create("table");
    table.createCaption().append(create("span", {}, sent.caption)); // the caption is as wide as its table, which may be scrolled
    const head = table.createTHead().insertRow();
    const numeric = (i) => sent.columns[i].numeric;
    table.classList.toggle("cr-figures", sent.columns.some((column) => column.numeric));
    sent.columns.forEach((column, i) => {
      const title = create("th", { scope: "col" });
      title.classList.toggle("cr-number", column.numeric);
      const direction = sorted?.column === i ? sorted.direction : 0;
      if (direction) title.ariaSort = direction > 0 ? "ascending" : "descending";
      if (sent.sortable) {
        const sort = () => {
          sorted = { column: i, direction: direction ? -direction : 1 };
          draw(sent, models);
          box.querySelectorAll("thead button")[i].focus();
        };
        title.append(create("button", { type: "button", onclick: sort }, column.title));
      } else {
        title.append(column.title);
      }
      head.append(title);
    });
    const rows = [...sent.rows];
    if (sorted) {
      const has = (row) => !numeric(sorted.column) || row.cells[sorted.column].value !== undefined;
      const order = by(sorted.column);
      rows.sort((a, b) => has(b) - has(a) || sorted.direction * order(a, b)); // missing values come last
    }
    const body = table.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      line.classList.toggle("cr-quiet", row.quiet);
      row.cells.forEach((cell, i) => {
        const properties = { className: numeric(i) ? "cr-number" : "", dataset: { title: sent.columns[i].title } };
        line.append(create(i ? "td" : "th", i ? properties : { scope: "row", ...properties }, ...cellOf(cell, models)));
      });
    }
    box.replaceChildren(table);
    reachable();
  }

  /** Make the table focusable if it overflows, so that the arrow keys scroll it. */
  function reachable() {
    box.style.setProperty("--cr-room", box.clientWidth + "px");
    const scrolls = box.scrollWidth > box.clientWidth;
    for (const [name, value] of [["tabindex", 0], ["role", "region"], ["aria-label", box.querySelector("caption")?.textContent]]) {
      scrolls ? box.setAttribute(name, value) : box.removeAttribute(name);
    }
  }
  if (box) new ResizeObserver(reachable).observe(box);

  return (sent, models) => {
    if (!box) return;
    box.hidden = !sent;
    if (!sent) return;
    if (!sorted && sent.sorted !== null) sorted = { column: sent.sorted, direction: 1 };
    draw(sent, models);
  };
}
