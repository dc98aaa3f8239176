// The next character's probabilities at the cursor, through the whole pipeline down to the draw.

import { visible } from "../page.js";
import { distribution, draw, entropyBits } from "./sampler.js";

const ROWS = 13;
const percent = (p) => (100 * p).toFixed(2) + "%";
const FILTERS = [["top_k", "top-k"], ["top_p", "top-p"], ["min_p", "min-p"]];

export class DistributionView {
  constructor(box) {
    const $ = (selector) => box.querySelector(selector);
    this.after = $(".cr-after");
    this.stages = $(".cr-stages");
    this.list = $(".cr-likely");
    this.rest = $(".cr-rest");
    this.drawn = $(".cr-u");
    this.bar = $(".cr-bar");
    this.needle = $(".cr-needle");
    this.entropy = $(".cr-entropy");
    this.cut = $(".cr-cut-count");
    this.rows = Array.from({ length: ROWS }, () => this.row());
    this.segments = [];
  }

  row() {
    const row = document.createElement("li");
    for (const name of ["cr-sign", "cr-track", "cr-percent", "cr-raw"]) {
      const part = document.createElement("span");
      part.className = name;
      row.append(part);
    }
    const [sign, track, after, raw] = row.children;
    const bars = ["cr-ghost", "cr-solid"].map((name) => {
      const bar = document.createElement("i");
      bar.className = name;
      track.append(bar);
      return bar;
    });
    this.list.append(row);
    return { row, sign, after, raw, ghost: bars[0], solid: bars[1] };
  }

  clear() {
    this.list.hidden = this.bar.hidden = this.needle.hidden = true;
    for (const part of [this.after, this.stages, this.rest, this.drawn, this.entropy, this.cut]) part.textContent = "";
  }

  /** Show what follows position i of the record, −1 for its start; the character that did follow is marked. */
  draw(record, i, length, settings) {
    this.list.hidden = this.bar.hidden = false;
    const d = distribution(record.logitsAfter(i), settings);
    this.latest = d;
    const u = record.drawAfter(i);
    const next = i + 1 < length ? record.characters[i + 1] : null;
    const landed = u === null ? null : draw(d, u);

    const before = record.characters.slice(Math.max(0, i - 9), i + 1).map((c) => (c === " " ? " " : visible(c))).join("");
    this.after.textContent = i < 0 ? "the start" : (i > 9 ? "…" : "") + before;
    this.showStages(d, settings);

    const most = Math.max(d.probs[0], d.raw[0]);
    const shown = Math.min(ROWS, d.order.length);
    // The character that came next stays in sight, however unlikely it was.
    const nextRank = next === null ? -1 : d.order.findIndex((id) => record.vocabulary[id] === next);
    this.rows.forEach((parts, place) => {
      parts.row.hidden = place >= shown;
      if (place >= shown) return;
      const rank = place === shown - 1 && nextRank >= shown ? nextRank : place;
      const character = record.vocabulary[d.order[rank]];
      const cut = rank >= d.kept;
      parts.sign.textContent = visible(character);
      parts.row.className = (cut ? "cr-cut " : "") + (rank === nextRank ? "cr-next" : "") + (rank === landed ? " cr-landed" : "");
      parts.solid.style.width = (100 * d.probs[rank]) / most + "%";
      parts.ghost.style.width = (100 * d.raw[rank]) / most + "%";
      parts.after.textContent = cut ? "cut" : percent(d.probs[rank]);
      parts.row.title = cut ? "cut by " + this.cutter(d, rank, settings) : "";
      parts.raw.textContent = percent(d.raw[rank]);
    });
    const left = d.probs.slice(shown).reduce((a, b) => a + b, 0);
    const others = Math.max(0, d.kept - shown);
    this.rest.textContent = others ? others + " more: " + percent(left) : "";

    this.showDraw(record, d, u, landed);
    this.entropy.textContent = entropyBits(d.probs).toFixed(2) + " bits";
    this.cut.textContent = d.kept === d.order.length ? "none cut" : d.order.length - d.kept + " of " + d.order.length + " cut";
  }

  cutter(d, rank, settings) {
    if (settings.temperature === 0) return "temperature 0";
    return rank >= d.stages.top_k ? "top-k" : rank >= d.stages.top_p ? "top-p" : "min-p";
  }

  /** How many characters each filter in turn leaves. */
  showStages(d, settings) {
    const on = { top_k: settings.top_k > 0, top_p: settings.top_p < 1, min_p: settings.min_p > 0 };
    const left = FILTERS.filter(([name]) => on[name]).map(([name, label]) => label + " " + d.stages[name]);
    this.stages.textContent =
      settings.temperature === 0
        ? "greedy: always the likeliest"
        : left.length
          ? "of " + d.order.length + " stay: " + left.join(" → ")
          : "no filter: all " + d.order.length + " stay";
  }

  /** The survivors end to end, in order, and the die that fell on one of them. */
  showDraw(record, d, u, landed) {
    while (this.segments.length < d.kept) {
      const segment = document.createElement("i");
      this.segments.push(segment);
      this.bar.append(segment);
    }
    this.segments.forEach((segment, rank) => {
      segment.hidden = rank >= d.kept;
      if (rank >= d.kept) return;
      segment.style.flexGrow = d.probs[rank];
      segment.style.opacity = rank === landed ? 1 : Math.max(0.3, 1 - 0.07 * rank);
      segment.className = rank === landed ? "cr-landed" : "";
    });
    this.needle.hidden = u === null;
    if (u === null) this.drawn.textContent = "given, not drawn";
    else {
      this.needle.style.left = 100 * u + "%";
      this.drawn.textContent = "u = " + u.toFixed(4) + " → " + visible(record.vocabulary[d.order[landed]]);
    }
  }
}
