// The picture of activations on a canvas, one row per unit, one column per character.

import { visibleLetter } from "../components/page_state.js";
import { css } from "../components/color_scale.js";

const HEIGHT = 280; // preferred height of all rows in CSS pixels
const MIN_ROW_HEIGHT = 0.7; // device pixels; lower rows share lines
const AXIS_HEIGHT = 18; // CSS pixels, for the characters below

export class Heatmap {
  /** columns: VisibleColumns, which several pictures can share. */
  constructor(canvas, columns) {
    this.canvas = canvas;
    this.visible = columns;
    this.context = canvas.getContext("2d", { alpha: false });
    this.cellCanvas = document.createElement("canvas"); // one pixel per column and line
    this.order = null; // row -> unit, for all rows
    this.range = null; // { first, last } visible rows of the order; null for all
    this.rows = null; // visible row -> unit
    this.labels = null; // of the visible rows, if they have others than their numbers
    this.change = false; // show changes instead of values
    this.from = 0; // position of the leftmost column as drawn
    this.gap = 0; // above each row, in device pixels
    this.measure();
  }

  /** Number of columns. */
  get columns() {
    return this.visible.count;
  }

  /** Name the visible rows if some are hidden: "rows 1–20". */
  get rowsLabel() {
    return this.range ? "rows " + (this.range.first + 1) + "–" + (this.range.last + 1) : "";
  }

  /** Set the row order; the visible range is kept if the number of rows is the same. */
  arrange(order) {
    if (order.length !== this.order?.length) this.range = null;
    this.order = order;
    this.rows = this.range ? order.slice(this.range.first, this.range.last + 1) : order;
    this.measure();
  }

  /** Fit the canvas to its box. */
  measure() {
    const width = this.canvas.parentElement.clientWidth;
    if (!width) return;
    this.ratio = (window.devicePixelRatio || 1) * (this.canvas.currentCSSZoom ?? 1);
    const style = getComputedStyle(this.canvas);
    const narrowest = parseFloat(style.getPropertyValue("--cr-column"));
    this.visible.fit(width, narrowest);
    const units = this.rows ? this.rows.length : 256;
    this.rowHeight = this.measureRows(units);
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(this.rowHeight * units) + Math.round(AXIS_HEIGHT * this.ratio);
    this.canvas.style.height = this.canvas.height / this.ratio + "px";
    this.lines = linesOf(units, Math.round(Math.min(1, this.rowHeight) * units));
    this.cellCanvas.width = this.columns;
    this.cellCanvas.height = this.lines.length;
    this.image = this.cellCanvas.getContext("2d").createImageData(this.columns, this.lines.length);
    this.pixels = new Uint32Array(this.image.data.buffer);
    this.font = Math.round(Math.min(1.8 * narrowest, (width / this.columns) * 1.55) * this.ratio) + "px " + style.fontFamily;
  }

  /** Return the height of a row in device pixels, a whole number if possible. Fewer rows use the height of all. */
  measureRows(units) {
    const all = this.order ? this.order.length : 256;
    const preferred = (HEIGHT * this.ratio) / all;
    const rowHeight = preferred < MIN_ROW_HEIGHT ? preferred : Math.max(1, Math.round(preferred));
    return Math.round(rowHeight * all) / units;
  }

  /** Check if the full color of each row is its own largest value; here it is the same value for all rows. */
  hasOwnScales() {
    return false;
  }

  /** Return the color level of a unit at position i, of its value or its change. */
  level(record, i, unit) {
    return record.level(i, unit, this.change);
  }

  /** Draw the columns in sight of a text of this length; frame the cursor's column and mark the ends of these units' rows. */
  draw(record, length, palette, { cursor, units }) {
    if (!this.image || !this.rows) return;
    const { context, columns, pixels, rows, ratio } = this;
    this.from = this.visible.leftmost(length);
    const drawn = Math.min(columns, length);
    const { emptyPixel } = palette;
    let next = 0;
    for (const line of this.lines) {
      for (let column = 0; column < drawn; column++) {
        let level = 0;
        for (const { row, share } of line) level += share * this.level(record, this.from + column, rows[row]);
        pixels[next++] = palette.pixels[Math.round(level) + 127];
      }
      for (let column = drawn; column < columns; column++) pixels[next++] = emptyPixel;
    }
    this.cellCanvas.getContext("2d").putImageData(this.image, 0, 0);

    const width = this.canvas.width;
    const height = Math.round(this.rowHeight * rows.length);
    context.fillStyle = css(palette.paper);
    context.fillRect(0, height, width, this.canvas.height - height);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.cellCanvas, 0, 0, width, height);
    for (let row = 0; this.gap && row < rows.length; row++) context.fillRect(0, row * this.rowHeight, width, this.gap);

    const cell = width / columns;
    context.font = this.font;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const middle = height + (AXIS_HEIGHT * ratio) / 2;
    for (let column = 0; column < drawn; column++) {
      const i = this.from + column;
      const character = record.characters[i];
      context.fillStyle = css(i === cursor ? palette.cursor : character === "\n" || character === " " ? palette.quiet : palette.ink);
      context.fillText(character === " " ? "·" : visibleLetter(character), (column + 0.5) * cell, middle);
    }
    if (cursor !== null && cursor >= this.from && cursor < this.from + drawn) {
      context.lineWidth = Math.max(1, Math.round(1.5 * ratio));
      context.strokeStyle = css(palette.ink);
      const frames = this.gap ? rows.map((_, row) => [row * this.rowHeight + this.gap, this.rowHeight - this.gap]) : [[0, height]];
      for (const [top, frame] of frames) context.strokeRect((cursor - this.from) * cell, top + context.lineWidth / 2, cell, frame - context.lineWidth);
    }
    for (const unit of units) {
      const row = rows.indexOf(unit);
      if (row < 0) continue;
      context.fillStyle = css(palette.ink);
      for (const x of [0, width - 5 * ratio]) {
        context.fillRect(x, (row + 0.5) * this.rowHeight + this.gap / 2 - 1.5 * ratio, 5 * ratio, 3 * ratio);
      }
    }
  }

  /** Return the cell { position, unit, row } under a pointer event; null outside the drawn columns. */
  cellUnder(event, length) {
    if (!this.rows) return null;
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * this.columns);
    const row = Math.floor(((event.clientY - box.top) / box.height) * (this.canvas.height / this.rowHeight));
    const position = this.visible.leftmost(length) + column;
    if (column < 0 || row < 0 || row >= this.rows.length || position >= length) return null;
    return { position, unit: this.rows[row], row };
  }

  /** Return the vertical offset of a pointer in CSS pixels of the canvas, corrected for page zoom. */
  offsetOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return ((event.clientY - box.top) / box.height) * (this.canvas.height / this.ratio);
  }

  /** Return the rows between two offsets, and their edges: { first, last, top, bottom }. */
  rowsBetween(start, end) {
    const height = this.rowHeight / this.ratio;
    const rowAt = (offset) => Math.max(0, Math.min(this.rows.length - 1, Math.floor(offset / height)));
    const [first, last] = [rowAt(Math.min(start, end)), rowAt(Math.max(start, end))];
    return { first, last, top: first * height, bottom: (last + 1) * height };
  }

  /** Return the cell of a position and unit; null if it is not drawn. */
  cell(position, unit) {
    const row = this.rows.indexOf(unit);
    return position < this.from || position >= this.from + this.columns || row < 0 ? null : { position, unit, row };
  }
}

/** Distribute rows over lines of pixels; returns the rows of each line with their shares: [[{ row, share }, …], …]. */
function linesOf(rows, lines) {
  const rowsPerLine = rows / lines;
  return Array.from({ length: lines }, (_, line) => {
    const [start, end] = [line * rowsPerLine, (line + 1) * rowsPerLine];
    const parts = [];
    for (let row = Math.floor(start); row < Math.min(rows, Math.ceil(end)); row++) {
      parts.push({ row, share: (Math.min(end, row + 1) - Math.max(start, row)) / rowsPerLine });
    }
    return parts;
  });
}
