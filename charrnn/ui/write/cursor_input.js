// Moves the cursor: pointer over text and heatmap, and keys.

import { page } from "../components/page_state.js";

/** Wire both. `live` describes the cursor; `pointed` is called after a move, `announce` for screen readers. */
export function attachCursor({ text, map, cursor, live, pointed, announce, redraw, paint }) {
  text.box.addEventListener("pointermove", (event) => {
    const position = text.positionOf(event);
    if (position === null || cursor.hovered?.position === position) return;
    cursor.hovered = { position };
    pointed();
  });
  text.box.addEventListener("pointerleave", () => {
    cursor.hovered = null;
    pointed();
  });
  text.box.addEventListener("click", (event) => {
    const position = text.positionOf(event);
    if (position === null) return;
    cursor.pin(position, live().drawn);
    pointed();
  });

  map.canvas.addEventListener("pointermove", (event) => {
    cursor.pointer = event;
    cursor.hovered = live().record && map.under(event, live().drawn);
    pointed();
  });
  map.canvas.addEventListener("pointerleave", () => {
    cursor.leave();
    pointed();
  });
  for (const change of ["focus", "blur"]) map.canvas.addEventListener(change, redraw);
  map.canvas.addEventListener("click", (event) => {
    const at = live().record && map.under(event, live().drawn);
    if (at) paint(at.unit);
  });

  page.on("cursor-moved", (move) => {
    const { record, drawn } = live();
    if (!record) return;
    const to = cursor.at(drawn) + move.by;
    if (to >= drawn) {
      move.atEnd = page.state !== "writing";
      return;
    }
    cursor.hovered = null;
    cursor.pin(Math.max(-1, to), drawn);
    pointed(true);
    announce();
  });
  page.on("unit-moved", (by) => {
    if (!map.rows) return;
    const row = map.rows.includes(cursor.marked) ? map.rows.indexOf(cursor.marked) + by : 0;
    cursor.marked = map.rows[Math.max(0, Math.min(map.rows.length - 1, row))];
    pointed();
    announce();
  });
  page.on("color-cursor-row", () => cursor.row !== null && paint(cursor.row));
  page.on("cursor-reset", () => {
    cursor.pinned = cursor.marked = null;
    if (cursor.unit !== null) paint(cursor.unit);
    pointed(true);
  });
  page.on("color-by-unit", (at) => {
    if ((at?.unit ?? null) !== cursor.unit) paint(at?.unit ?? cursor.unit);
    if (!at) return;
    cursor.pinned = at.position;
    pointed(true);
  });
}
