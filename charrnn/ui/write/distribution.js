// The sampler at the cursor: the distribution after each stage side by side, and the draw.

import { create, setText } from "../components/create_element.js";
import { quoted, spoken, visible } from "../components/page_state.js";
import { distribution, draw, entropyBits, removingStage, stageProbs, STAGES, surprisalBits } from "../components/sampler.js";
import { shownRanks } from "./runners_up.js";
import { CdfBar } from "./cdf_bar.js";
import { givenPart } from "./cursor_labels.js";
import { percent, withPercent } from "./percent.js";

const ROWS = 9;
const LABELS = { temperature: "temperature", top_k: "top-k", top_p: "top-p", min_p: "min-p" };
const OFF = { temperature: () => false, top_k: (k) => k === 0, top_p: (p) => p === 1, min_p: (p) => p === 0 };
const BARS = { removed: "cr-taken", final: "cr-drawn-from", tempered: "cr-tempered", raw: "cr-ghost" }; // each drawn over those before

export class DistributionView {
  constructor(box) {
    const $ = (selector) => box.querySelector(selector);
    this.table = $(".cr-pipeline");
    [this.contextWords, this.context] = [$(".cr-after-words"), $(".cr-after")];
    this.hint = $(".cr-choose-hint");
    this.key = $(".cr-bar-key-filters");
    this.settings = Object.fromEntries(STAGES.map((stage) => [stage, $(`th[data-stage="${stage}"]`)]));
    this.list = $(".cr-likely");
    this.rest = this.summary($(".cr-rest"));
    this.remaining = this.summary($(".cr-remaining"));
    this.entropy = this.summary($(".cr-entropy"));
    this.temperature = $(".cr-temperature-words");
    this.surprisal = $(".cr-surprisal");
    this.otherDraw = $(".cr-other-draw");
    this.rows = Array.from({ length: ROWS }, () => this.row());
    this.bar = new CdfBar(box);
  }

  /** Append the row of a top candidate: character, bars, percentage after every stage. */
  row() {
    const sign = create("button", { type: "button", className: "cr-sign" }); // branching.js listens to the whole row
    const bars = Object.fromEntries(Object.entries(BARS).map(([name, className]) => [name, create("i", className)]));
    const track = create("td", { className: "cr-track", ariaHidden: "true" }, create("div", {}, ...Object.values(bars)));
    const row = create("tr", {}, create("th", { scope: "row" }, sign), track);
    this.list.append(row);
    return { row, sign, bars, cells: this.cells(row) };
  }

  /** Append the cells of a summary row. */
  summary(row) {
    return { label: row.firstElementChild, cells: this.cells(row) };
  }

  /** Append a cell for the raw value and one per stage. */
  cells(row) {
    const cells = ["raw", ...STAGES].map((stage) => create("td", { dataset: { stage } }));
    row.append(...cells);
    return cells;
  }

  /** Show a message instead of a distribution. */
  clear(message = "") {
    this.table.hidden = this.contextWords.hidden = true;
    this.bar.clear();
    for (const part of [this.hint, this.otherDraw, this.surprisal]) part.textContent = "";
    this.temperature.textContent = message;
  }

  /** Show the distribution after position i, −1 for the start; the actual next character is marked. */
  draw(record, i, length, settings) {
    this.table.hidden = this.contextWords.hidden = false;
    const d = distribution(record.logitsAfter(i), settings);
    this.latest = d;
    const u = record.drawAfter(i);
    const next = i + 1 < length ? record.characters[i + 1] : null;
    const drawnRank = u === null ? null : draw(d, u);
    const before = record.characters.slice(Math.max(0, i - 9), i + 1).map((c) => (c === " " ? "\u00a0" : visible(c))).join("");
    setText(this.context, i < 0 ? "the start" : "“" + (i > 9 ? "…" : "") + before + "”");
    setText(this.hint, describeChoice(record, i + 1, next));

    const off = STAGES.map((stage) => (settings.temperature === 0 ? stage !== "temperature" : OFF[stage](settings[stage])));
    const stages = [d.raw, ...STAGES.map((stage, at) => (off[at] ? null : stageProbs(d, stage)))]; // null: shown empty
    const nextRank = next === null ? -1 : d.order.indexOf(record.ids.get(next));
    const ranks = shownRanks(d.order.length, ROWS, nextRank);

    this.showSettings(settings, off);
    this.showRows(record, d, stages, ranks, { nextRank, drawnRank });
    this.showSummaries(d, stages, ranks);
    this.temperature.textContent = describeTemperature(d, settings.temperature, record.vocabulary);
    this.bar.draw(d, u, drawnRank, record, nextRank);
    const drawn = u === null || next === null ? next : record.vocabulary[d.order[drawnRank]];
    setText(this.otherDraw, drawn === next ? "" : describeOtherDraw(next, drawn, record.isChosen(i + 1)));
    this.surprisal.textContent = next === null ? "" : describeCost(d, nextRank, next, STAGES.filter((_, at) => !off[at]));
  }

  /** Show the columns of the stages that are on, with their settings. */
  showSettings(settings, off) {
    STAGES.forEach((stage, i) => {
      const value = stage === "top_k" ? String(settings[stage]) : settings[stage].toFixed(2);
      const greedy = stage === "temperature" && settings[stage] === 0;
      setText(this.settings[stage].querySelector("b"), greedy ? "greedy" : value);
    });
    const isOff = off.join();
    if (isOff === this.isOff) return;
    this.isOff = isOff;
    STAGES.forEach((stage, i) => {
      for (const cell of this.table.querySelectorAll(`[data-stage="${stage}"]`)) cell.hidden = off[i];
    });
    const filters = STAGES.filter((stage, i) => i > 0 && !off[i]).map((stage) => LABELS[stage]);
    this.key.hidden = !filters.length;
    setText(this.key, "after " + (filters.length < 3 ? filters.join(", ") : "filters"));
  }

  showRows(record, d, stages, ranks, { nextRank, drawnRank }) {
    const tempered = stages[1];
    const largest = Math.max(d.raw[0], tempered[0], d.probs[0]);
    const width = (p) => (100 * p) / largest + "%";
    this.rows.forEach(({ row, sign, bars, cells }, i) => {
      row.hidden = i >= ranks.length;
      if (row.hidden) return;
      const rank = ranks[i];
      const character = record.vocabulary[d.order[rank]];
      const removedBy = removingStage(d, rank);
      row.dataset.id = d.order[rank];
      row.classList.toggle("cr-cut", removedBy !== null);
      row.classList.toggle("cr-next", rank === nextRank);
      row.classList.toggle("cr-landed", rank === drawnRank);
      row.title = removedBy === null ? "" : "cut by " + LABELS[removedBy];
      setText(sign, visible(character));
      sign.ariaLabel = spoken(quoted(character)) + ", write it here";
      bars.raw.style.width = width(d.raw[rank]);
      bars.final.style.width = removedBy === null ? width(d.probs[rank]) : 0;
      bars.tempered.style.width = removedBy === null ? width(tempered[rank]) : 0; // never wider than the final bar: filters only increase it
      bars.removed.style.width = width(tempered[rank]);
      const removedAt = removedBy === null ? Infinity : STAGES.indexOf(removedBy) + 1; // column
      cells.forEach((cell, column) => {
        setText(cell, column === removedAt ? "cut" : stages[column] === null || column > removedAt ? "" : percent(stages[column][rank]));
        cell.classList.toggle("cr-cut-here", column === removedAt);
      });
    });
  }

  /** Show the probability of the other characters, the number of remaining ones, and the entropy, per stage. */
  showSummaries(d, stages, ranks) {
    const others = d.order.length - ranks.length;
    const isShown = new Set(ranks);
    const sumOfOthers = (probs) => probs.reduce((sum, p, rank) => (isShown.has(rank) ? sum : sum + p), 0);
    setText(this.rest.label, others ? others + (others === 1 ? " other" : " others") : "");
    const write = (cells, format) => cells.forEach((cell, i) => setText(cell, stages[i] === null ? "" : format(stages[i], i)));
    write(this.rest.cells, (probs) => (others ? percent(sumOfOthers(probs)) : ""));
    write(this.remaining.cells, (_, i) => (i === 0 ? d.order.length : d.stages[STAGES[i - 1]]));
    write(this.entropy.cells, (probs) => entropyBits(probs).toFixed(2));
  }
}

/** Say what choosing a character does at this position, whose character is `next` (null at the end of the text). */
function describeChoice(record, position, next) {
  if (position < record.prompt) return `This letter belongs to ${givenPart(record)}.`;
  return next === null ? "Choose a letter to write it next." : "Choose a letter to write it here instead.";
}

/** Describe the effect of the temperature on the top candidate. */
function describeTemperature(d, temperature, vocabulary) {
  const likeliest = quoted(vocabulary[d.order[0]]);
  const raw = withPercent(d.raw[0]);
  if (temperature === 0) return `Temperature 0: always the likeliest, ${likeliest} (${raw}); the random number is ignored.`;
  const name = "Temperature " + temperature.toFixed(2);
  if (temperature === 1) return `${name} leaves the network's own percentages: ${likeliest} stays at ${raw}.`;
  const tempered = withPercent(stageProbs(d, "temperature")[0]);
  const moved = raw === tempered ? `stays at ${raw}` : `goes from ${raw} to ${tempered}`;
  return `${name} ${temperature < 1 ? "sharpens" : "flattens"}: ${likeliest} ${moved}. The ranking never changes.`;
}

/** Say why the text has another character than the one that its draw selects. */
function describeOtherDraw(next, drawn, isChosen) {
  if (isChosen) return `You chose ${quoted(next)} (framed); the draw would have given ${quoted(drawn)} (orange).`;
  return `The text has ${quoted(next)} (framed); with the network and settings chosen now, the draw gives ${quoted(drawn)} (orange).`;
}

/** Describe the surprisal of the next character: under the network, and after the stages that are on. */
function describeCost(d, rank, next, stages) {
  const cost = `${quoted(next)} cost ${surprisalBits(d.raw[rank]).toFixed(2)} bits`;
  const removedBy = removingStage(d, rank);
  if (removedBy !== null) return `${cost} (impossible now: cut by ${LABELS[removedBy]})`;
  const names = stages.length < 3 ? stages.map((stage) => LABELS[stage]).join(", ") : "temperature and filters";
  return `${cost} (${surprisalBits(d.probs[rank]).toFixed(2)} after ${names})`;
}
