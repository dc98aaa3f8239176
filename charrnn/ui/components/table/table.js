// A sortable table. Cells contain text, numbers, commands, links and links to other parts of the page.

import { navigate } from "../navigate.js";
import { swatch } from "../plot/model_checkboxes.js";

function cellOf(cell, models) {
  const parts = [];
  const model = cell.model && models?.find((m) => m.name === cell.model);
  if (model) parts.push(swatch(model));
  if (cell.link) {
    const link = document.createElement("a");
    Object.assign(link, { href: cell.link, target: "_blank", rel: "noopener noreferrer", textContent: cell.text });
    parts.push(link);
  } else if (cell.text) {
    parts.push(cell.text);
  }
  if (cell.note) parts.push(": " + cell.note);
  for (const line of cell.code || []) {
    const code = document.createElement("code");
    code.textContent = line;
    parts.push(code);
  }
  for (const way of cell.go || []) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "cr-go", textContent: way.text });
    button.addEventListener("click", () => navigate(way));
    parts.push(button);
  }
  return parts;
}

const by = (index) => (a, b) => {
  const [left, right] = [a.cells[index], b.cells[index]];
  if (left.value !== undefined && right.value !== undefined) return left.value - right.value;
  return left.text.localeCompare(right.text);
};

/** Returns a function that takes a table (of `Table.told`) and the models with their line swatches. */
export function createTable(box) {
  let sorted = null; // {column, direction}: the user's sort order is kept when the table changes

  function draw(sent, models) {
    const table = document.createElement("table");
    const caption = document.createElement("span"); // the caption is as wide as its table, which may be scrolled
    caption.textContent = sent.caption;
    table.createCaption().append(caption);
    const head = table.createTHead().insertRow();
    const numeric = (i) => sent.columns[i].numeric;
    table.classList.toggle("cr-figures", sent.columns.some((column) => column.numeric));
    sent.columns.forEach((column, i) => {
      const title = document.createElement("th");
      title.scope = "col";
      title.classList.toggle("cr-number", column.numeric);
      const direction = sorted?.column === i ? sorted.direction : 0;
      if (direction) title.ariaSort = direction > 0 ? "ascending" : "descending";
      if (sent.sortable) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = column.title;
        button.addEventListener("click", () => {
          sorted = { column: i, direction: direction ? -direction : 1 };
          draw(sent, models);
          box.querySelectorAll("thead button")[i].focus();
        });
        title.append(button);
      } else {
        title.textContent = column.title;
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
        const place = document.createElement(i === 0 ? "th" : "td");
        if (i === 0) place.scope = "row";
        place.classList.toggle("cr-number", numeric(i));
        place.dataset.title = sent.columns[i].title;
        place.append(...cellOf(cell, models));
        line.append(place);
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
