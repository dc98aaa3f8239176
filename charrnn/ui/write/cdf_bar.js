// The draw: a bar of the remaining characters, with a pointer at u.

import { create, setText } from "../components/create_element.js";
import { visible } from "../components/page_state.js";

const MIN_LABELED_SHARE = 0.042; // of the bar: minimum width of a labeled segment
const MIN_SHARE = 0.0005; // of a segment that is drawn: a fifth of a pixel

export class CdfBar {
  constructor(box) {
    const $ = (selector) => box.querySelector(selector);
    this.box = $(".cr-draw");
    this.label = $(".cr-u");
    this.bar = $(".cr-bar");
    this.signs = $(".cr-bar-signs");
    this.needle = $(".cr-needle");
    this.segments = [];
  }

  clear() {
    this.box.hidden = true;
    this.label.textContent = "";
  }

  /** Show u (null without a draw) and the rank that it selects. d: of components/sampler.js. */
  draw(d, u, drawnRank, vocabulary) {
    this.box.hidden = false;
    while (this.segments.length < d.kept) this.segments.push(this.segment());
    let left = 0;
    this.segments.forEach(({ part, sign }, rank) => {
      const share = rank < d.kept ? d.probs[rank] : 0;
      part.hidden = sign.hidden = share < MIN_SHARE && rank !== drawnRank;
      if (part.hidden) return;
      part.style.flexGrow = share;
      part.style.opacity = rank === drawnRank ? 1 : Math.max(0.3, 1 - 0.07 * rank);
      part.className = sign.className = rank === drawnRank ? "cr-landed" : "";
      sign.hidden = share < MIN_LABELED_SHARE && rank !== drawnRank;
      if (!sign.hidden) {
        sign.style.left = 100 * (left + share / 2) + "%";
        setText(sign, visible(vocabulary[d.order[rank]]));
      }
      left += share;
    });
    this.needle.hidden = u === null;
    if (u === null) {
      this.label.textContent = "given, not drawn";
      return;
    }
    const before = drawnRank ? d.cumulative[drawnRank - 1] / d.cumulative[d.kept - 1] : 0;
    const range = before.toFixed(4) + " … " + (d.cumulative[drawnRank] / d.cumulative[d.kept - 1]).toFixed(4);
    this.needle.style.left = 100 * u + "%";
    this.label.textContent = "u = " + u.toFixed(4) + " → " + visible(vocabulary[d.order[drawnRank]]);
    this.label.title = "the die u lies in " + range;
  }

  segment() {
    const [part, sign] = [create("i"), create("span")];
    this.bar.append(part);
    this.signs.append(sign);
    return { part, sign };
  }
}
