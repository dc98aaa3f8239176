// Colors of the text: none, by surprisal or by a unit; the choice between them, and the key of the colors.

import { create, setText } from "../components/create_element.js";
import { MAX_LEVEL } from "../components/text_record.js";
import { formatValue, scaleEnds, symbol } from "./heatmap_captions.js";
import { unitName } from "./cursor_labels.js";
import { namedUnits, nameOf } from "./heatmap_row_names.js";

const FULL_BITS = 8; // surprisal of the full color
const UNDERLINED_BITS = 6; // surprisal from which a character is underlined too: less likely than 1 in 64

export class TextColoring {
  /**
   * cursor: its `unit` colors the text if it is not null; live() -> { record, map, spans }.
   *
   * changed() is called after a choice of the user.
   */
  constructor(element, cursor, live, changed) {
    const $ = (selector) => element.querySelector(selector);
    Object.assign(this, { cursor, live, box: $(".cr-text"), key: $(".cr-color-key") });
    this.palette = null; // a ColorScale
    this.high = 0; // value of the full color in an unbounded view: the largest of the unit in this text
    this.bySurprise = false;
    this.isChosen = false; // by the user: another text keeps it
    this.last = null; // {unit, of}: unit that the choice "unit" returns to, of this model and view
    this.buttons = [...$(".cr-coloring").querySelectorAll("button")];
    for (const button of this.buttons) {
      button.addEventListener("click", () => {
        this.choose(button.value);
        changed();
      });
    }
  }

  get mode() {
    return this.cursor.unit !== null ? "unit" : this.bySurprise ? "surprise" : "none";
  }

  /** Choose as the user does. mode: "none", "surprise" or "unit". */
  choose(mode) {
    this.isChosen = true;
    this.set(mode === "surprise", mode === "unit" ? this.offeredUnit() : null);
  }

  /** The colors as a link carries them: "none", "surprise" or view:unit; see share_link.py. */
  get linked() {
    return this.mode === "unit" ? this.live().record.view.name + ":" + this.cursor.unit : this.mode;
  }

  /** Choose as a link does. color: "none", "surprise" or [view, unit]. */
  chooseLinked(color) {
    const [view, unit] = Array.isArray(color) ? color : [null, null];
    if (view !== null && view !== this.live().record.view.name) return; // of another text, restored after a reload
    this.isChosen = true;
    this.set(color === "surprise", unit);
  }

  /** Return the unit of the choice "unit": the last one, else the one named with the highest score, else the most active. */
  offeredUnit() {
    const { record } = this.live();
    if (!record) return null;
    return this.last?.unit ?? namedUnits(record.view)[0]?.unit ?? record.view.orders.activity[0];
  }

  set(bySurprise, unit) {
    this.bySurprise = bySurprise;
    this.cursor.unit = unit;
  }

  /** Apply the default of another text: by surprisal if it is read, without a choice of the user. */
  startText({ isRead }) {
    if (!this.isChosen && (isRead || this.bySurprise)) this.set(isRead, null);
  }

  /** Color the character at position i. */
  color(span, i) {
    const { record, map } = this.live();
    const bits = this.mode === "surprise" ? record.surprisal(i) : null;
    span.classList.toggle("cr-surprising", bits >= UNDERLINED_BITS);
    if (this.mode === "none") {
      span.style.background = span.style.color = "";
      return;
    }
    const level = bits === null ? this.unitLevel(record, map, i) : Math.round(MAX_LEVEL * Math.min(1, bits / FULL_BITS));
    span.style.background = this.palette.fills[level + MAX_LEVEL];
    span.style.color = this.palette.letter;
  }

  /** Return the color level of the unit at position i. */
  unitLevel(record, map, i) {
    const { unit } = this.cursor;
    if (!this.hasOwnScale(record, map)) return map.level(record, i, unit);
    const value = record.value(i, unit);
    if (Math.abs(value) > this.high) {
      this.high = Math.abs(value);
      this.update();
    }
    return Math.round((MAX_LEVEL * value) / this.high) || 0;
  }

  /** Check if the colors are relative to the values of the unit, not to those of all units. */
  hasOwnScale(record, map) {
    return this.mode === "unit" && !record.view.bounded && !map.change;
  }

  /** Color the whole text and show the key. */
  update() {
    const { record, map, spans } = this.live();
    const { mode } = this;
    const { unit } = this.cursor;
    const of = record && record.model.name + " " + record.view.name;
    if (unit !== null) this.last = { unit, of };
    else if (this.last?.of !== of) this.last = null;
    if (record && this.hasOwnScale(record, map)) this.high = Math.max(0, ...spans.map((_, i) => Math.abs(record.value(i, unit))));
    this.box.classList.toggle("cr-coloured", mode !== "none");
    if (record) spans.forEach((span, i) => this.color(span, i));
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", button.value === mode);
      if (button.value === "unit" && record) setText(button, this.last ? unitName(record, this.last.unit) : "unit");
    }
    this.key.replaceChildren(...(record ? this.describeKey(record, mode) : []));
  }

  /** Return the key of the colors. */
  describeKey(record, mode) {
    if (mode === "surprise") {
      const title = `surprisal of each character under ${record.model.title}, step ${record.model.step.toLocaleString("en")}`;
      return [create("span", { title }, "bits that each letter cost"), scale("0", FULL_BITS + " or more", true), `with a line: ${UNDERLINED_BITS} or more`];
    }
    if (mode === "none") {
      return [record.isRead ? "Choose a letter to see what the network expected there." : "Choose a letter to change it: the network writes on from there."];
    }
    const { map } = this.live();
    const { unit } = this.cursor;
    const own = [-this.high, this.high].map((value) => formatValue(value, record.view, true));
    const [low, high] = this.hasOwnScale(record, map) ? own : scaleEnds(record.view, map.change);
    const quantity = (map.change ? "Δ" : "") + symbol(record.view.name);
    return ["Coloured by ", create("b", {}, unitName(record, unit)), ` of ${quantity}${nameOf(record, unit)}`, scale(low, high, !map.change && record.view.low === 0)];
  }
}

/** Create a scale with labels at both ends; isFromZero: without the colors of negative values. */
function scale(low, high, isFromZero) {
  const bar = create("i", { className: isFromZero ? "cr-key-bar cr-from-zero" : "cr-key-bar", ariaHidden: "true" });
  return create("span", "cr-key-scale", low, bar, high);
}
