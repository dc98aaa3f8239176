// Moves the cursor by the pointer over text and heatmap, and by page events.

import { page } from "../components/page_state.js";

const WHEEL_PIXELS = 8; // of a horizontal scroll, for a column

/**
 * Connect the cursor. live() -> { record, drawn }; colorBy(unit) colors the text or removes the colors of this unit.
 *
 * onMove(scroll) is called after a move, `announce` to describe it to screen readers, `redraw` when the focus has changed.
 */
export function attachCursor({ text, map, cursor, live, onMove, announce, redraw, colorBy }) {
  text.box.addEventListener("pointermove", (event) => {
    const position = text.positionOf(event);
    if (position === null || cursor.hovered?.position === position) return;
    cursor.hovered = { position };
    onMove();
  });
  text.box.addEventListener("pointerleave", () => {
    cursor.hovered = null;
    onMove();
  });
  text.box.addEventListener("click", (event) => {
    const position = text.positionOf(event);
    if (position === null) return;
    cursor.pin(position, live().drawn);
    onMove();
  });

  map.canvas.addEventListener("pointermove", (event) => {
    cursor.pointer = event;
    cursor.hovered = live().record && map.cellUnder(event, live().drawn);
    onMove();
  });
  map.canvas.addEventListener("pointerleave", () => {
    cursor.leave();
    onMove();
  });
  for (const change of ["focus", "blur"]) map.canvas.addEventListener(change, redraw);
  map.canvas.addEventListener("click", (event) => {
    const cell = live().record && map.cellUnder(event, live().drawn);
    if (cell) colorBy(cell.unit);
  });

  map.canvas.addEventListener(
    "wheel",
    (event) => {
      const { record, drawn } = live();
      const pixels = event.deltaX || (event.shiftKey ? event.deltaY : 0);
      if (!record || !pixels || event.ctrlKey) return;
      event.preventDefault();
      const columns = Math.sign(pixels) * Math.max(1, Math.round(Math.abs(pixels) / WHEEL_PIXELS));
      map.showFrom(map.leftmost(drawn) + columns, drawn);
      cursor.pinned = map.start === null ? null : map.leftmost(drawn) + map.columns - 1; // so that the part stays in sight
      cursor.hovered = map.cellUnder(event, drawn);
      onMove();
    },
    { passive: false },
  );

  page.on("cursor-moved", (by) => {
    const { record, drawn } = live();
    const position = cursor.position(drawn) + by;
    if (!record || position >= drawn) return;
    cursor.hovered = null;
    cursor.pin(Math.max(-1, position), drawn);
    onMove(true);
    announce();
  });
  page.on("unit-moved", (by) => {
    if (!map.rows) return;
    const row = map.rows.includes(cursor.marked) ? map.rows.indexOf(cursor.marked) + by : 0;
    cursor.marked = map.rows[Math.max(0, Math.min(map.rows.length - 1, row))];
    onMove();
    announce();
  });
  page.on("color-cursor-row", () => cursor.row !== null && colorBy(cursor.row));
  page.on("cursor-reset", () => {
    cursor.pinned = cursor.marked = null;
    if (cursor.unit !== null) colorBy(cursor.unit);
    onMove(true);
  });
  page.on("color-by-unit", (target) => {
    if ((target?.unit ?? null) !== cursor.unit) colorBy(target?.unit ?? cursor.unit);
    if (!target) return;
    cursor.pinned = target.position;
    onMove(true);
  });
}
