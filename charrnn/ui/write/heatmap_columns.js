// The part of the text that the heatmap shows: consecutive characters, one column each.

const MAX_COLUMNS = 120;
const MIN_COLUMNS = 20;

export class VisibleColumns {
  constructor() {
    this.count = MAX_COLUMNS;
    this.width = 0; // of all columns, in CSS pixels
    this.start = null; // position of the leftmost column; null for the end of the text
  }

  /** Set the number of columns for a width and a smallest width of a column, in CSS pixels. */
  fit(width, narrowest) {
    this.width = width;
    this.count = Math.max(MIN_COLUMNS, Math.min(MAX_COLUMNS, Math.floor(width / narrowest)));
  }

  /** Return the position in the leftmost column of a text of this length. */
  leftmost(length) {
    const last = Math.max(0, length - this.count);
    return this.start === null ? last : Math.min(this.start, last);
  }

  /** Show the end of the text if position is null, else a part with this position; a part in sight stays. */
  showPosition(position, length) {
    const from = this.leftmost(length);
    if (position === null) this.start = null;
    else if (position < from || position >= from + this.count) this.showFrom(position - (this.count >> 1), length);
  }

  /** Show the part from this position on, or the end of the text. */
  showFrom(start, length) {
    this.start = start >= length - this.count ? null : Math.max(0, start);
  }

  /** Name the characters in sight of a text of this length. */
  describe(length) {
    if (this.start === null) return "the last " + Math.min(length, this.count) + " characters";
    const from = this.leftmost(length);
    return "characters " + (from + 1) + "–" + Math.min(length, from + this.count) + " of " + length;
  }
}
