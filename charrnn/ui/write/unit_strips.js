// Tall strips of the named units, above the heatmap.

import { MAX_LEVEL } from "../components/text_record.js";
import { Heatmap } from "./heatmap_canvas.js";

/** A few units as tall rows with gaps, whose sizes come from the stylesheet. Each row has its own scale if values are unbounded. */
export class Strips extends Heatmap {
  /** Set the units and their labels. */
  arrange(units, labels) {
    this.labels = labels;
    super.arrange(units);
  }

  get rowsLabel() {
    return "named units";
  }

  /** Check if each row has its own scale: units of an unbounded view differ in size. */
  hasOwnScales(view) {
    return !view.bounded && !this.change;
  }

  level(record, i, unit) {
    if (!this.hasOwnScales(record.view)) return super.level(record, i, unit);
    return Math.round((MAX_LEVEL * record.value(i, unit)) / this.largest.get(unit)) || 0;
  }

  draw(record, length, palette, marks) {
    this.largest = new Map(this.rows.map((unit) => [unit, largestValue(record, length, unit)]));
    super.draw(record, length, palette, marks);
  }

  measureRows() {
    const style = getComputedStyle(this.canvas);
    const pixels = (name) => Math.round(parseFloat(style.getPropertyValue(name)) * this.ratio);
    this.gap = pixels("--cr-strip-gap");
    return pixels("--cr-strip-height") + this.gap;
  }
}

/** Return the largest absolute value of a unit in a text of this length. */
function largestValue(record, length, unit) {
  let largest = 0;
  for (let i = 0; i < length; i++) largest = Math.max(largest, Math.abs(record.value(i, unit)));
  return largest;
}
