// Position and row of the cursor. Hovering takes precedence over clicks and keys, and these over the end of the text.

export class Cursor {
  constructor() {
    this.pinned = null; // position set by the user; null follows the text
    this.pointer = null; // {map, event}: last event of a pointer over a picture
    this.hovered = null; // {position, unit} under the pointer
    this.unit = null; // row that colors the text
    this.marked = null; // row selected by keys
  }

  /** Return the position among the drawn characters; −1 without any. */
  position(drawn) {
    return Math.min(this.hovered?.position ?? this.pinned ?? drawn - 1, drawn - 1);
  }

  /** Check if the cursor follows the end of the text. */
  get isAtEnd() {
    return !this.hovered && this.pinned === null;
  }

  /** The row of the cursor, or null. */
  get row() {
    return this.hovered?.unit ?? this.marked ?? this.unit;
  }

  /** Pin to a position; at the end of the text it follows the text instead. */
  pin(position, drawn) {
    this.pinned = position === drawn - 1 ? null : position;
  }

  /** Hover over the cell under a pointer event over a picture. */
  hover(map, event, drawn) {
    this.pointer = { map, event };
    this.updateHovered(drawn);
  }

  /** Update the hovered cell after the columns have moved. */
  updateHovered(drawn) {
    if (this.pointer) this.hovered = this.pointer.map.cellUnder(this.pointer.event, drawn);
  }

  /** Forget the pointer when it has left the picture. */
  leave() {
    this.pointer = this.hovered = null;
  }

  /** Drop the positions and rows that do not apply to another record, of the same or another text. */
  setRecord(rows, sameText) {
    this.hovered = null;
    if (!sameText) this.pinned = this.marked = null;
    if (this.unit !== null && this.unit >= rows) this.unit = null;
    if (this.marked !== null && this.marked >= rows) this.marked = null;
  }

  /** Return the cell to magnify: the one under the pointer, else the one selected by keys; null without one. */
  magnified(map, drawn) {
    if (this.pointer) return this.pointer.map === map ? this.hovered : null;
    return this.marked !== null && document.activeElement === map.canvas && drawn ? map.cell(this.position(drawn), this.marked) : null;
  }
}
