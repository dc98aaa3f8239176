// The draw: a bar of the remaining characters, with a pointer at u.

import { create, setText } from "../components/create_element.js";
import { quoted, visible } from "../components/page_state.js";
import { givenPart } from "./cursor_labels.js";

const MIN_LABELED_SHARE = 0.042; // of the bar: minimum width of a labeled segment
const MIN_SHARE = 0.0025; // of a segment that is drawn: thinner ones are all separator, a pixel wide
const PAPER = "var(--cr-paper)";
const cssPercent = (share) => (100 * share).toFixed(3) + "%";

/** Return the color of a segment, which is paler for a less likely character. */
function colorOf(rank, isDrawn) {
  return isDrawn ? "var(--cr-plus)" : `color-mix(in srgb, var(--cr-minus) ${Math.max(30, 100 - 7 * rank)}%, ${PAPER})`;
}

export class CdfBar {
  constructor(box) {
    const $ = (selector) => box.querySelector(selector);
    this.box = $(".cr-draw");
    this.caption = $(".cr-u");
    this.bar = $(".cr-bar");
    this.signs = $(".cr-bar-signs");
    this.needle = $(".cr-needle");
    this.spans = []; // the characters of the wide segments, by rank
  }

  clear() {
    this.box.hidden = true;
    this.caption.textContent = "";
  }

  /** Show u (null without a draw), the rank that it selects, and that of the text's character (-1 for none). d: of components/sampler.js. */
  draw(d, u, drawnRank, record, nextRank) {
    const { vocabulary } = record;
    this.box.hidden = false;
    const stops = []; // one background costs no layout, an element per segment would
    let [left, labeled] = [0, 0];
    for (let rank = 0; rank < d.kept; rank++) {
      const share = d.probs[rank];
      const isDrawn = rank === drawnRank;
      if (share >= MIN_SHARE || isDrawn) {
        const end = `calc(${cssPercent(left + share)} - 1px)`;
        stops.push(`${colorOf(rank, isDrawn)} ${cssPercent(left)} ${end}`, `${PAPER} ${end} ${cssPercent(left + share)}`);
      }
      const className = isDrawn ? "cr-landed" : rank === nextRank ? "cr-next" : "";
      if (share >= MIN_LABELED_SHARE || className) this.label(labeled++, visible(vocabulary[d.order[rank]]), left + share / 2, className);
      left += share;
    }
    this.bar.style.background = `linear-gradient(to right, ${stops.join(", ")}, ${PAPER} 0)`;
    this.spans.forEach((span, i) => (span.hidden = i >= labeled));
    this.needle.hidden = u === null;
    if (u === null) {
      this.caption.textContent = "No draw: part of " + givenPart(record);
      this.caption.title = "";
      return;
    }
    const before = drawnRank ? d.cumulative[drawnRank - 1] / d.cumulative[d.kept - 1] : 0;
    const range = before.toFixed(4) + " … " + (d.cumulative[drawnRank] / d.cumulative[d.kept - 1]).toFixed(4);
    this.needle.style.left = 100 * u + "%";
    const character = quoted(vocabulary[d.order[drawnRank]]);
    const name = nextRank < 0 ? "The next draw" : "The draw"; // of a character that is not in the text yet
    this.caption.textContent = `${name}: a random point (${u.toFixed(4)}) lands on ${character}`;
    this.caption.title = `${character} takes ${range} of the bar`;
  }

  /** Label the segment around a share of the bar. */
  label(i, text, middle, className) {
    const span = (this.spans[i] ??= this.signs.appendChild(create("span")));
    span.className = className;
    span.style.left = `clamp(7px, ${cssPercent(middle)}, calc(100% - 7px))`; // half of a sign
    setText(span, text);
  }
}
