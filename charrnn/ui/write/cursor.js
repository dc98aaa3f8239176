// Position and row of the cursor. Hovering takes precedence over clicks and keys, and those over the end of the text.
// walked to, and that before the end of the text.

export class Cursor {
  constructor() {
    this.pinned = null; // position set by the user; null follows the text
    this.pointer = null; // last event of a pointer over the heatmap
    this.hovered = null; // {position, unit} under the pointer
    this.unit = null; // row that colors the text
    this.marked = null; // row selected by keys
  }

  /** The position, of so many characters on the page; −1 where there is none. */
  at(drawn) {
    return Math.min(this.hovered?.position ?? this.pinned ?? drawn - 1, drawn - 1);
  }

  /** The row it is on; null where it is on none. */
  get row() {
    return this.hovered?.unit ?? this.marked ?? this.unit;
  }

  /** Put it on a position; the last one is the end of the text, and follows it. */
  pin(position, drawn) {
    this.pinned = position === drawn - 1 ? null : position;
  }

  /** The columns have moved under a pointer that rests. */
  point(map, drawn) {
    if (this.pointer) this.hovered = map.under(this.pointer, drawn);
  }

  leave() {
    this.pointer = this.hovered = null;
  }

  /** Another record stands on the page: of the same text, or of another one. */
  renew(rows, sameText) {
    this.hovered = null;
    if (!sameText) this.pinned = this.marked = null;
    if (this.unit !== null && this.unit >= rows) this.unit = null;
    if (this.marked !== null && this.marked >= rows) this.marked = null;
  }

  /** The cell to enlarge: the one under the pointer, else the one that keys have walked to. */
  magnified(map, drawn) {
    if (this.pointer) return this.hovered;
    return this.marked !== null && document.activeElement === map.canvas && drawn ? map.cell(this.at(drawn), this.marked) : null;
  }
}
