// The pictures of the activations: named units as strips, all units below them on demand, and the part of the text in sight.

import { setText } from "../components/create_element.js";
import { rowNoun } from "./heatmap_captions.js";
import { Heatmap } from "./heatmap_canvas.js";
import { drawLens } from "./heatmap_lens.js";
import { RowNames, namedUnits } from "./heatmap_row_names.js";
import { VisibleColumns } from "./heatmap_columns.js";
import { Strips } from "./unit_strips.js";

const STORED = "charrnn-all-units"; // in the local storage
const MAX_STRIPS = 5;
const MIN_THUMB_WIDTH = 28; // CSS pixels

export class Pictures {
  /** onColor(unit): called to color the text by a named unit; `changed` after all units were shown or hidden. */
  constructor(element, { onColor, changed }) {
    const $ = (selector) => element.querySelector(selector);
    this.box = $(".cr-pictures");
    this.visible = new VisibleColumns();
    this.strips = new Strips($(".cr-strips"), this.visible);
    this.map = new Heatmap($(".cr-canvas"), this.visible);
    this.all = [this.strips, this.map];
    this.names = new RowNames(element, onColor);
    this.lens = $(".cr-lens");
    this.part = $(".cr-part");
    this.shownPart = ""; // what the slider shows
    this.button = $(".cr-all-units");
    this.forAll = element.querySelectorAll(".cr-of-all-units");
    this.record = null;
    this.wantsAll = readStored(); // all units, by the user or a link
    this.button.addEventListener("click", () => {
      this.wantsAll = !this.wantsAll;
      store(this.wantsAll);
      changed();
    });
  }

  /** The picture to which captions and export refer. */
  get main() {
    return this.showsAll ? this.map : this.strips;
  }

  /** Check if all units are shown, as they are if none has a name. */
  get showsAll() {
    return this.wantsAll || !this.record?.view.named;
  }

  /** Show changes instead of values. */
  set change(isChange) {
    for (const picture of this.all) picture.change = isChange;
  }

  /** Show the rows of a record in an order of all units. */
  arrange(record, order) {
    this.record = record;
    const { view } = record;
    const strips = namedUnits(view).slice(0, MAX_STRIPS);
    this.box.classList.toggle("cr-named", strips.length > 0);
    for (const part of this.forAll) part.hidden = !this.showsAll;
    this.button.hidden = !strips.length;
    this.button.ariaExpanded = String(this.showsAll);
    setText(this.button, (this.showsAll ? "Hide" : "Show") + " all " + view.rows + " " + rowNoun(view.name) + "s");
    if (strips.length) this.strips.arrange(strips.map(({ unit }) => unit), strips.map(({ unit, name }) => name + ", " + unit));
    this.map.arrange(order);
    this.names.show(record, this.strips, this.map);
  }

  /** Fit the pictures to the page. */
  measure() {
    for (const picture of this.all) picture.measure();
    if (this.record) this.names.show(this.record, this.strips, this.map);
  }

  /** Draw the part with the cursor, the marks of its units, and the lens over a cell. */
  draw(record, length, palette, { cursor, position, units }) {
    this.visible.showPosition(cursor.isAtEnd ? null : position, length);
    const marks = { cursor: length ? position : null, units };
    if (record.view.named) this.strips.draw(record, length, palette, marks);
    if (this.showsAll) this.map.draw(record, length, palette, marks);
    drawLens(this.lens, this.map, record, length, palette, this.showsAll ? cursor.magnified(this.map, length) : null);
    this.showPart(length);
  }

  /** Show on the slider which part of the text is in sight. */
  showPart(length) {
    const { part, visible } = this;
    const last = Math.max(0, length - visible.count);
    const value = visible.leftmost(length);
    const shown = [value, last, visible.width].join();
    if (shown === this.shownPart) return;
    this.shownPart = shown;
    part.hidden = !last;
    part.max = last;
    part.value = value;
    part.ariaValueText = visible.describe(length);
    part.style.setProperty("--cr-thumb", Math.max(MIN_THUMB_WIDTH, (visible.width * visible.count) / length) + "px");
  }
}

function readStored() {
  try {
    return localStorage.getItem(STORED) === "on";
  } catch {
    return false; // without storage, it counts for this visit
  }
}

function store(wantsAll) {
  try {
    localStorage.setItem(STORED, wantsAll ? "on" : "off");
  } catch {
    // see readStored
  }
}
