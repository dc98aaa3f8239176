// Moves the cursor by the pointer over text and pictures, the slider of the pictures, and page events.

import { page } from "../components/page_state.js";

const WHEEL_PIXELS = 8; // of a horizontal scroll, for a column

/**
 * Connect the cursor with the text, the pictures `maps` and the slider `part`, which moves their visible part.
 *
 * live() -> { record, drawn }. colorBy(unit) colors the text or removes the colors of this unit,
 * removeColors() all. onMove(scroll) is called after a move, `announce` to describe it to screen readers, `redraw` when the
 * focus has changed.
 */
export function attachCursor({ text, maps, part, cursor, live, onMove, announce, redraw, colorBy, removeColors }) {
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

  const { visible } = maps[0];

  /** Show the part from this position on; the cursor keeps it in sight. */
  function showFrom(start) {
    const { drawn } = live();
    visible.showFrom(start, drawn);
    cursor.pinned = visible.start === null ? null : visible.leftmost(drawn) + visible.count - 1;
  }

  part.addEventListener("input", () => {
    cursor.hovered = null;
    showFrom(Number(part.value));
    onMove();
  });

  for (const map of maps) attachPicture(map);

  function attachPicture(map) {
    const { canvas } = map;
    canvas.addEventListener("pointermove", (event) => {
      if (!live().record) return;
      cursor.hover(map, event, live().drawn);
      onMove();
    });
    canvas.addEventListener("pointerleave", () => {
      cursor.leave();
      onMove();
    });
    for (const change of ["focus", "blur"]) canvas.addEventListener(change, redraw);
    canvas.addEventListener("click", (event) => {
      const cell = live().record && map.cellUnder(event, live().drawn);
      if (cell) colorBy(cell.unit);
    });
    canvas.addEventListener("wheel", (event) => scroll(map, event), { passive: false });
  }

  function scroll(map, event) {
    const { record, drawn } = live();
    const pixels = event.deltaX || (event.shiftKey ? event.deltaY : 0);
    if (!record || !pixels || event.ctrlKey) return;
    event.preventDefault();
    const columns = Math.sign(pixels) * Math.max(1, Math.round(Math.abs(pixels) / WHEEL_PIXELS));
    showFrom(visible.leftmost(drawn) + columns);
    cursor.hover(map, event, drawn);
    onMove();
  }

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
    const { rows } = maps.find(({ canvas }) => canvas === document.activeElement) ?? maps.find(({ canvas }) => canvas.offsetParent);
    if (!rows) return;
    const row = rows.includes(cursor.marked) ? rows.indexOf(cursor.marked) + by : 0;
    cursor.marked = rows[Math.max(0, Math.min(rows.length - 1, row))];
    onMove();
    announce();
  });
  page.on("color-cursor-row", () => cursor.row !== null && colorBy(cursor.row));
  page.on("cursor-reset", () => {
    cursor.pinned = cursor.marked = null;
    removeColors();
    onMove(true);
  });
  page.on("color-by-unit", (target) => {
    if (!target) return removeColors();
    if (target.unit !== cursor.unit) colorBy(target.unit);
    cursor.pinned = target.position;
    return onMove(true);
  });
}
