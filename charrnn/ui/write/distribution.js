// Sampler view at the cursor: raw → temperature → top-k → top-p → min-p side by side, then the draw.

import { create } from "../components/create_element.js";
import { quoted, visible } from "../components/page_state.js";
import { CdfBar } from "./cdf_bar.js";
import { cutter, distribution, draw, entropyBits, stageProbs, STAGES, surprisalBits } from "../components/sampler.js";

const ROWS = 11;
const percent = (p) => (100 * p).toFixed(2);
const LABELS = { temperature: "temperature", top_k: "top-k", top_p: "top-p", min_p: "min-p" };
const OFF = { temperature: () => false, top_k: (k) => k === 0, top_p: (p) => p === 1, min_p: (p) => p === 0 };
const BARS = ["cr-taken", "cr-drawn-from", "cr-tempered", "cr-ghost"]; // each drawn over the one before

export class DistributionView {
  constructor(box) {
    const $ = (selector) => box.querySelector(selector);
    this.picture = $(".cr-pipeline");
    this.after = $(".cr-after");
    this.settings = Object.fromEntries(STAGES.map((stage) => [stage, $(`th[data-stage="${stage}"]`)]));
    this.list = $(".cr-likely");
    this.rest = this.summary($(".cr-rest"));
    this.stay = this.summary($(".cr-staying"));
    this.entropy = this.summary($(".cr-entropy"));
    this.words = $(".cr-temperature-words");
    this.surprisal = $(".cr-surprisal");
    this.rows = Array.from({ length: ROWS }, () => this.row());
    this.die = new CdfBar(box);
  }

  /** A row of a top candidate: sign, bars, percentage after every stage. */
  row() {
    const sign = create("button", { type: "button", className: "cr-sign" }); // branching.js listens to the whole row
    const bars = BARS.map((name) => create("i", name));
    const track = create("td", { className: "cr-track", ariaHidden: "true" }, create("div", {}, ...bars));
    const row = create("tr", {}, create("th", { scope: "row" }, sign), track);
    this.list.append(row);
    const [taken, drawnFrom, temperedTo, ghost] = bars;
    return { row, sign, taken, drawnFrom, temperedTo, ghost, cells: this.cells(row) };
  }

  summary(row) {
    return { label: row.firstElementChild, cells: this.cells(row) };
  }

  /** Append a cell for the raw value and one per stage. */
  cells(row) {
    const cells = ["raw", ...STAGES].map((stage) => create("td", { dataset: { stage } }));
    row.append(...cells);
    return cells;
  }

  clear() {
    this.picture.hidden = true;
    this.die.clear();
    for (const part of [this.after, this.words, this.surprisal]) part.textContent = "";
  }

  /** Show the distribution after position i, −1 for the start; the actual next character is marked. */
  draw(record, i, length, settings) {
    this.picture.hidden = false;
    const d = distribution(record.logitsAfter(i), settings);
    this.latest = d;
    const u = record.drawAfter(i);
    const next = i + 1 < length ? record.characters[i + 1] : null;
    const landed = u === null ? null : draw(d, u);
    const before = record.characters.slice(Math.max(0, i - 9), i + 1).map((c) => (c === " " ? "\u00a0" : visible(c))).join("");
    this.after.textContent = i < 0 ? "the start" : (i > 9 ? "…" : "") + before;

    const off = STAGES.map((stage) => settings.temperature === 0 ? stage !== "temperature" : OFF[stage](settings[stage]));
    const stages = [d.raw, ...STAGES.map((stage, at) => (off[at] ? null : stageProbs(d, stage)))];
    const nextRank = next === null ? -1 : d.order.findIndex((id) => record.vocabulary[id] === next);
    const shown = Math.min(ROWS, d.order.length);
    // The actual next character is always shown.
    const ranks = Array.from({ length: shown }, (_, place) => (place === shown - 1 && nextRank >= shown ? nextRank : place));

    this.showSettings(settings, off);
    this.showRows(record, d, stages, ranks, { nextRank, landed });
    this.showSummaries(d, stages, ranks);
    this.words.textContent = describeTemperature(d, settings.temperature, record.vocabulary);
    this.die.draw(d, u, landed, record.vocabulary);
    this.surprisal.textContent = next === null ? "" : describeSurprisal(d, nextRank, next);
  }

  showSettings(settings, off) {
    STAGES.forEach((stage, at) => {
      const head = this.settings[stage];
      const value = stage === "top_k" ? String(settings[stage]) : settings[stage].toFixed(2);
      const greedy = stage === "temperature" && settings[stage] === 0;
      head.querySelector("b").textContent = off[at] ? "off" : greedy ? "greedy" : value;
      head.classList.toggle("cr-off", off[at]);
    });
  }

  showRows(record, d, stages, ranks, { nextRank, landed }) {
    const tempered = stages[1];
    const most = Math.max(d.raw[0], tempered[0], d.probs[0]);
    const width = (p) => (100 * p) / most + "%";
    this.rows.forEach(({ row, sign, taken, drawnFrom, temperedTo, ghost, cells }, place) => {
      row.hidden = place >= ranks.length;
      if (row.hidden) return;
      const rank = ranks[place];
      const by = cutter(d, rank);
      row.dataset.id = d.order[rank];
      row.classList.toggle("cr-cut", by !== null);
      row.classList.toggle("cr-next", rank === nextRank);
      row.classList.toggle("cr-landed", rank === landed);
      row.title = by === null ? "" : "cut by " + LABELS[by];
      sign.textContent = visible(record.vocabulary[d.order[rank]]);
      sign.setAttribute("aria-label", "Write " + quoted(record.vocabulary[d.order[rank]]) + " here");
      ghost.style.width = width(d.raw[rank]);
      drawnFrom.style.width = by === null ? width(d.probs[rank]) : 0;
      temperedTo.style.width = by === null ? width(tempered[rank]) : 0; // filters only increase the probability of remaining characters
      taken.style.width = width(tempered[rank]);
      cells.forEach((cell, at) => {
        const cutBefore = by !== null && at > STAGES.indexOf(by) + 1;
        const cutHere = by !== null && at === STAGES.indexOf(by) + 1;
        cell.textContent = cutHere ? "cut" : stages[at] === null || cutBefore ? "" : percent(stages[at][rank]);
        cell.classList.toggle("cr-cut-here", cutHere);
      });
    });
  }

  /** Below the candidates: probability of the others, number of remaining characters, and entropy per stage. */
  showSummaries(d, stages, ranks) {
    const others = d.order.length - ranks.length;
    const inSight = (probs) => ranks.reduce((sum, rank) => sum + probs[rank], 0);
    this.rest.label.textContent = others ? others + " more" : "";
    const write = (cells, words) => cells.forEach((cell, at) => (cell.textContent = stages[at] === null ? "" : words(stages[at], at)));
    write(this.rest.cells, (probs) => (others ? percent(Math.max(0, 1 - inSight(probs))) : ""));
    write(this.stay.cells, (_, at) => (at === 0 ? d.order.length : d.stages[STAGES[at - 1]]));
    write(this.entropy.cells, (probs) => entropyBits(probs).toFixed(2));
  }
}

/** Describe the effect of the temperature on the top candidate. */
function describeTemperature(d, temperature, vocabulary) {
  const raw = percent(d.raw[0]) + "%";
  if (temperature === 0) {
    return "Temperature 0 is greedy: always the likeliest, " + quoted(vocabulary[d.order[0]]) + " (raw " + raw + "), whatever the die says.";
  }
  const name = "Temperature " + temperature.toFixed(2);
  if (temperature === 1) return name + " leaves the model's own percentages: the likeliest stays at " + raw + ".";
  const tempered = percent(stageProbs(d, "temperature")[0]) + "%";
  const moved = raw === tempered ? ": here the likeliest stays at " + raw : ": the likeliest " + raw + " → " + tempered;
  return name + (temperature < 1 ? " sharpens" : " flattens") + moved + ". The order stays; only the draw is random.";
}

/** Describe the surprisal of the next character: under the model, and under the current settings. */
function describeSurprisal(d, rank, next) {
  const by = cutter(d, rank);
  const drawn = by === null ? surprisalBits(d.probs[rank]).toFixed(2) + " bits" : "∞, cut by " + LABELS[by];
  return "surprisal of " + quoted(next) + ": raw " + surprisalBits(d.raw[rank]).toFixed(2) + " bits → " + drawn;
}
