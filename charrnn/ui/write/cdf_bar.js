// The draw: remaining characters end to end, with u as a pointer.

import { create } from "../components/create_element.js";
import { visible } from "../components/page_state.js";

const LEGIBLE = 0.042; // of the bar: minimum width of a labeled segment

export class CdfBar {
  constructor(box) {
    const $ = (selector) => box.querySelector(selector);
    this.whole = $(".cr-draw");
    this.words = $(".cr-u");
    this.bar = $(".cr-bar");
    this.signs = $(".cr-bar-signs");
    this.needle = $(".cr-needle");
    this.segments = [];
  }

  clear() {
    this.whole.hidden = true;
    this.words.textContent = "";
  }

  /** Show u (null without a draw) and the rank it selects. */
  draw(d, u, landed, vocabulary) {
    this.whole.hidden = false;
    while (this.segments.length < d.kept) this.segments.push(this.segment());
    let left = 0;
    this.segments.forEach(({ part, sign }, rank) => {
      part.hidden = sign.hidden = rank >= d.kept;
      if (rank >= d.kept) return;
      const share = d.probs[rank];
      part.style.flexGrow = share;
      part.style.opacity = rank === landed ? 1 : Math.max(0.3, 1 - 0.07 * rank);
      part.className = sign.className = rank === landed ? "cr-landed" : "";
      sign.hidden = share < LEGIBLE && rank !== landed;
      sign.style.left = 100 * (left + share / 2) + "%";
      sign.textContent = visible(vocabulary[d.order[rank]]);
      left += share;
    });
    this.needle.hidden = u === null;
    if (u === null) {
      this.words.textContent = "given, not drawn";
      return;
    }
    const before = landed ? d.cumulative[landed - 1] / d.cumulative[d.kept - 1] : 0;
    const range = before.toFixed(4) + " … " + (d.cumulative[landed] / d.cumulative[d.kept - 1]).toFixed(4);
    this.needle.style.left = 100 * u + "%";
    this.words.textContent = "u = " + u.toFixed(4) + " → " + visible(vocabulary[d.order[landed]]);
    this.words.title = "the die u lies in " + range;
  }

  segment() {
    const [part, sign] = [create("i"), create("span")];
    this.bar.append(part);
    this.signs.append(sign);
    return { part, sign };
  }
}
