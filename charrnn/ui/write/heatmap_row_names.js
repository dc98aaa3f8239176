// Names beside the rows of the heatmap: units for which the saved analyses found a concept.

import { create } from "../components/create_element.js";
import { rowNoun } from "./heatmap_captions.js";

const LABEL_HEIGHT = 15; // minimum distance of two names, in CSS pixels
const LEADER_WIDTH = 18; // of the lines between names and rows, as in view.css

/** Return the named units of a view, those furthest above untrained networks first. */
export const namedUnits = (view) => view.named?.units ?? [];

/** Return the name of a unit in parentheses, and that it was found later in the training; "" without one. */
export function nameOf({ view, model }, unit) {
  const named = namedUnits(view).find((other) => other.unit === unit);
  return named ? ` (${model.step < view.named.step ? "once trained: " : ""}${named.name})` : "";
}

/** Return the unit of another record that follows the concept of a unit; null without one. */
export function sameConcept(before, record, unit) {
  const concept = namedUnits(before.view).find((named) => named.unit === unit)?.name;
  return namedUnits(record.view).find(({ name }) => name === concept)?.unit ?? null;
}

/** Describe the colors that stand for the concept of a unit, compared with elsewhere: both can be on one side of zero. */
function describeColors({ numeric, direction }, view) {
  const colors = [view.low < 0 ? "blue" : "no colour", "orange"];
  if (direction < 0) colors.reverse();
  if (numeric) return colors.join(" to ");
  return colors[1] === "no colour" ? "less orange" : "more " + colors[1];
}

export class RowNames {
  constructor(element, onColor) {
    this.strips = element.querySelector(".cr-strip-names");
    this.rows = element.querySelector(".cr-row-names");
    this.leaders = element.querySelector(".cr-leaders path");
    for (const box of [this.strips, this.rows]) {
      box.addEventListener("click", ({ target }) => {
        const button = target.closest("button");
        if (button) onColor(Number(button.dataset.unit));
      });
    }
  }

  /** Show the names of the rows of both pictures. */
  show(record, strips, map) {
    const named = namedUnits(record.view);
    this.showStrips(record, strips.rows ? named.filter(({ unit }) => strips.rows.includes(unit)) : []);
    this.showRows(named, map);
  }

  showStrips({ view }, named) {
    const buttons = named.map((entry, row) => {
      const details = `${rowNoun(view.name).replace("dimension", "")} ${entry.unit} of ${view.name} · ` + describeColors(entry, view);
      const button = create("button", { type: "button", title: entry.score, dataset: { unit: entry.unit } }, create("b", {}, entry.name), create("span", {}, details));
      button.style.setProperty("--cr-row", row);
      return button;
    });
    replace(this.strips, buttons);
  }

  /** Place the names of all visible rows beside them, apart from each other. */
  showRows(named, map) {
    const height = map.canvas.offsetParent ? map.canvas.clientHeight : 0;
    const step = map.rowHeight / map.ratio;
    const shown = named
      .map((entry) => ({ ...entry, y: (map.rows.indexOf(entry.unit) + 0.5) * step }))
      .filter(({ y }) => height && y > 0)
      .sort((a, b) => a.y - b.y);
    const tops = spread(shown.map(({ y }) => y), LABEL_HEIGHT, height);
    const buttons = shown.map((entry, i) => {
      const button = create("button", { type: "button", title: "unit " + entry.unit + ": " + entry.score, tabIndex: -1, dataset: { unit: entry.unit } }, entry.name);
      button.style.top = tops[i] - LABEL_HEIGHT / 2 + "px";
      return button;
    });
    replace(this.rows, buttons);
    this.leaders.setAttribute("d", shown.map(({ y }, i) => `M0 ${tops[i]}L${LEADER_WIDTH} ${y}`).join(""));
  }

  /** Mark the unit that colors the text. */
  mark(unit) {
    for (const button of [...this.strips.children, ...this.rows.querySelectorAll("button")]) {
      button.ariaPressed = String(Number(button.dataset.unit) === unit);
    }
  }
}

/** Return the positions nearest to sorted ones with a minimum distance, as far as possible within a height. */
function spread(positions, distance, height) {
  const spaced = [];
  for (const position of positions) spaced.push(Math.max(position, distance / 2, (spaced.at(-1) ?? -Infinity) + distance));
  let limit = height - distance / 2;
  for (let i = spaced.length - 1; i >= 0 && spaced[i] > limit; i--) {
    spaced[i] = limit;
    limit -= distance;
  }
  return spaced;
}

/** Replace the buttons of a box; the focused one stays focused if its unit has a button. */
function replace(box, buttons) {
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.unit : null;
  for (const old of box.querySelectorAll("button")) old.remove();
  box.append(...buttons);
  buttons.find((button) => button.dataset.unit === focused)?.focus({ preventScroll: true });
}
