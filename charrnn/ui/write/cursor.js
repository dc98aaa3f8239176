// Position and row of the cursor. Hovering takes precedence over clicks and keys, and those over the end of the text.

export class Cursor {
  constructor() {
    this.pinned = null; // position set by the user; null follows the text
    this.pointer = null; // last event of a pointer over the heatmap
    this.hovered = null; // {position, unit} under the pointer
    this.unit = null; // row that colors the text
    this.marked = null; // row selected by keys
  }

  /** Position among the drawn characters; −1 without any. */
  at(drawn) {
    return Math.min(this.hovered?.position ?? this.pinned ?? drawn - 1, drawn - 1);
  }

  /** Row of the cursor, or null. */
  get row() {
    return this.hovered?.unit ?? this.marked ?? this.unit;
  }

  /** Pin to a position; at the end of the text it follows the text instead. */
  pin(position, drawn) {
    this.pinned = position === drawn - 1 ? null : position;
  }

  /** Update the hovered cell after the columns have moved. */
  point(map, drawn) {
    if (this.pointer) this.hovered = map.under(this.pointer, drawn);
  }

  leave() {
    this.pointer = this.hovered = null;
  }

  /** Adapt to another record of the same or another text. */
  renew(rows, sameText) {
    this.hovered = null;
    if (!sameText) this.pinned = this.marked = null;
    if (this.unit !== null && this.unit >= rows) this.unit = null;
    if (this.marked !== null && this.marked >= rows) this.marked = null;
  }

  /** Cell to magnify: the one under the pointer, else the one selected by keys. */
  magnified(map, drawn) {
    if (this.pointer) return this.hovered;
    return this.marked !== null && document.activeElement === map.canvas && drawn ? map.cell(this.at(drawn), this.marked) : null;
  }
}
