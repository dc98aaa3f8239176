// Surprisals of a text, and the answers about them: the difference of two models, and the cost of clamps.
//
// Computes the same as charrnn/surprisal.py, ui/compare/surprisal_difference.py and ui/neurons/clamp.py.

import { countCharacters } from "../components/code_points.js";
import { counted, percent, signed } from "../components/number_format.js";
import { knownToAll } from "../components/offered_models.js";
import { logitSurprisal } from "../components/sampler.js";
import { NO_INTERVENTIONS } from "../session/session.js";
import { KINDS, kinds } from "./char_classes.js";
import { deltaFigure, describeDelta } from "./surprisal_difference_figure.js";
import { givenText, grouped } from "./source_text.js";

const MAX_COMPARED_CHARS = 10_000;
const NEGLIGIBLE_SHARE = 0.005; // as in neurons/clamp.py
const [STRETCHES, MIN_STRETCH_CHARS, MIN_STRETCHES] = [32, 64, 3];
const NORMAL_QUANTILE = 1.959963984540054; // of a two-sided interval of 95 %
const OWN_SAMPLES = "a network predicts its own samples better than others do";
const CONTEXTS = [[1, 8], [9, 16], [17, 32], [33, 64], [65, 128], [129, 256], [257, Infinity]]; // positions, from 1

/** Return the surprisal of each character in bits; the model knows all of them. */
export async function surprisals(provider, checkpoint, text, { clamps = [] } = {}) {
  const characters = Array.from(text);
  const call = { ...NO_INTERVENTIONS, checkpoint, clamps, text, prompt: 0, count: 0, seed: 0, edits: [], view: "" };
  const bits = [];
  let ids = null;
  let logits = null; // for the next character
  while (bits.length < characters.length) {
    const start = bits.length;
    const piece = await provider.read({ ...call, start });
    if (start === 0) {
      ids = new Map(Array.from(piece.model.characters, (character, id) => [character, id]));
      logits = piece.startLogits;
    }
    for (let k = 0; k * ids.size < piece.logits.length; k++) {
      bits.push(surprisalBits(logits, ids.get(characters[start + k])));
      logits = piece.logits.subarray(k * ids.size, (k + 1) * ids.size);
    }
  }
  return bits;
}

function surprisalBits(logits, id) {
  if (!logits.every(Number.isFinite)) throw new Error("the logits are not finite: the checkpoint is broken, or its weights overflow");
  return logitSurprisal(logits, id);
}

/**
 * Yield the messages of the view compare/surprisal_difference.
 *
 * query: as view_query.js sends it. models: as in page.models. source: the default text, { text, origin, writers, stored, bits, scale }.
 * records: the stored surprisals of models on the held-out text, by name. empty: the figure to fill. See
 * charrnn/ui/compare/surprisal_template.py. Throws an Error if both models share no character of the text.
 */
export async function* differenceAnswer(provider, query, { models, source, records, empty }) {
  const { number, form } = query;
  const pair = [form.A, form.B].map(({ checkpoint }) => ({ checkpoint, model: models.find(({ name }) => name === checkpoint.name) }));
  const { text, origin, writers, notice } = comparedText(pair, form, source);
  const saved = savedGroups(pair, records);
  const savedWords = describeSaved(saved);
  const reading = `Reading ${grouped(countCharacters(text))} characters`;
  const bits = [];
  for (const [i, side] of pair.entries()) {
    yield { number, words: sentences(savedWords, reading + (i ? ", now with B …" : " …")), busy: true, figure: null };
    bits.push(storedSurprisals(side, text, source) ?? (await surprisals(provider, side.checkpoint, text)));
  }
  const { whole, byKind, byContext, kindOf } = groupsOf(text, ...bits);
  const isWriter = ({ model, checkpoint }) => writers.some(({ sha256, step }) => sha256 === model.sha256 && step === checkpoint.step);
  const authors = ["A", "B"].filter((_, i) => isWriter(pair[i]));
  const rows = [whole, ...byKind, ...byContext.map((group) => ({ ...group, name: `positions ${group.name}` }))];
  rows.push(...saved.map((group) => ({ ...group, name: `held-out text: ${group.name}` })));
  yield {
    number,
    words: sentences(savedWords, describeDifference(whole, origin, authors), notice),
    figure: deltaFigure(empty, byKind),
    text,
    bits: bits.map((values) => values.map((value) => Math.round(1000 * value))),
    kinds: kindOf,
    kind_names: KINDS,
    figure_words: describeDelta(byKind),
    table: differenceTable("Averages by kind of character and by position", ["A", "B"], rows),
  };
}

/** Return the stored surprisals of a network on the default text; undefined if there are none. */
function storedSurprisals({ checkpoint, model }, text, source) {
  if (text !== source.stored || checkpoint.step !== model.steps.at(-1)) return undefined;
  return source.bits[checkpoint.name]?.map((value) => value / source.scale);
}

/** Return the text that both models know, { text, origin, writers, notice }. */
function comparedText(pair, form, source) {
  const given = givenText(form);
  const { text, origin, writers } = given ?? source;
  const known = knownToAll(pair.map(({ model }) => model), text);
  if (!known.text) throw new Error(`A and B share no character of ${origin}: give another text, or choose other models`);
  const characters = Array.from(known.text);
  const isCut = given && characters.length > MAX_COMPARED_CHARS;
  const cut = isCut ? `It has ${grouped(characters.length)} characters: only the first ${grouped(MAX_COMPARED_CHARS)} are compared.` : "";
  const byNetwork = writers.length ? "This sample was written by a network, which favours similar networks. Paste real text for a fair test." : "";
  return { text: characters.slice(0, MAX_COMPARED_CHARS).join(""), origin, writers, notice: sentences(cut, known.notice, byNetwork) };
}

/**
 * Return { cost, table } of the view neurons/clamp: Δ bits with clamps against without, on a text that the model knows.
 *
 * notice: a sentence about the text, besides its origin; "" for none.
 */
export async function clampCost(provider, checkpoint, clamps, { text, origin, notice = "" }) {
  const free = await surprisals(provider, checkpoint, text);
  const clamped = await surprisals(provider, checkpoint, text, { clamps });
  const { whole, byKind } = groupsOf(text, clamped, free);
  const rows = [whole, ...byKind.sort((one, other) => other.delta - one.delta)].map((group) => ({ ...group, a: group.b, b: group.a }));
  return { cost: sentences(describeCost(whole, origin), notice), table: differenceTable("What it costs, by kind of character", ["as it is", "frozen"], rows) };
}

/** Describe the cost of clamps, as describe_cost in neurons/clamp.py does. */
function describeCost(whole, origin) {
  const { characters, delta, margin, a, b } = whole;
  const bits = `${signedWithMargin(whole)} bits per character`;
  const means = `${b.toFixed(3)} as it is, ${a.toFixed(3)} frozen, over ${counted(characters)} of ${origin}`;
  if (Math.abs(delta) <= (margin ?? 0)) return `No measurable cost: the network does as well without it. Δ = ${bits}: ${means}.`;
  if (delta < 0) return `Frozen, it predicts this text better: Δ = ${bits}, ${means}.`;
  const share = delta / b;
  const note = share < NEGLIGIBLE_SHARE ? ", almost nothing" : "";
  return `Freezing it costs ${bits.replace("+", "")} (${percent(share, 1)})${note}: ${means}.`;
}

// ------------------------------------------------------------------ means by group of characters

/** Average over all characters, by class and by position; the means of a group are { name, characters, a, b, delta, margin }. */
function groupsOf(text, a, b) {
  const kindOf = kinds(text);
  const stretches = Math.max(1, Math.min(STRETCHES, Math.floor(a.length / MIN_STRETCH_CHARS)));
  const stretch = a.map((_, i) => Math.floor((i * stretches) / a.length));
  const one = a.map(() => 1);
  const [ofA, ofB] = [a, b].map((bits) => ({ stretch, characters: one, bits }));
  const mean = (name, isInside) => stretchMean(name, ofA, ofB, [...a.keys()].filter(isInside));
  const byKind = KINDS.map((name, kind) => mean(name, (i) => kindOf[i] === kind)).filter(Boolean);
  const nameOf = ([first, last]) => (last === Infinity ? `${first}+` : `${first}–${last}`);
  const byContext = CONTEXTS.map((range) => mean(nameOf(range), (i) => range[0] <= i + 1 && i + 1 <= range[1])).filter(Boolean);
  return { whole: mean("all characters", () => true), byKind, byContext, kindOf };
}

/** Compare the stored surprisals of two models at their last steps by class; [] if they are not of one text. */
function savedGroups(pair, records) {
  const [a, b] = pair.map(({ model }) => records[model.name]);
  const areLast = pair.every(({ checkpoint, model }) => checkpoint.step === model.steps.at(-1));
  if (!a || !b || !areLast || pair[0].model.sha256 === pair[1].model.sha256 || textOf(a) !== textOf(b)) return [];
  const names = ["all characters", ...KINDS];
  return names.map((name) => stretchMean(name, a, b, [...a.kind.keys()].filter((i) => name === names[0] || a.kind[i] === name))).filter(Boolean);
}

const textOf = ({ kind, stretch, characters, data_sha256 }) => JSON.stringify([kind, stretch, characters, data_sha256]);

/** Average over rows of two records; null without any. margin: of the 95 % interval of delta, over stretches of the text. */
function stretchMean(name, a, b, rows) {
  if (!rows.length) return null;
  const total = rows.reduce((sum, i) => sum + a.characters[i], 0);
  const average = ({ characters, bits }) => rows.reduce((sum, i) => sum + characters[i] * bits[i], 0) / total;
  const means = { a: average(a), b: average(b) };
  const delta = means.a - means.b;
  const deviations = new Map(); // by stretch, in bits
  for (const i of rows) deviations.set(a.stretch[i], (deviations.get(a.stretch[i]) ?? 0) + a.characters[i] * (a.bits[i] - b.bits[i] - delta));
  const n = deviations.size;
  const squares = [...deviations.values()].reduce((sum, value) => sum + value ** 2, 0);
  return { name, characters: total, ...means, delta, margin: studentMargin(Math.sqrt((n / Math.max(1, n - 1)) * squares) / total, n) };
}

/** Return the margin of a 95 % interval of a mean, as student_margin in charrnn/bootstrap.py does; null for too few samples. */
function studentMargin(error, samples) {
  if (samples < MIN_STRETCHES) return null;
  const [z, n] = [NORMAL_QUANTILE, samples - 1];
  const corrections = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92160,
  ];
  return error * corrections.reduce((sum, part, i) => sum + part / n ** (i + 1), z);
}

// ------------------------------------------------------------------ words and tables

const sentences = (...parts) => parts.filter(Boolean).join(" ");

const isClear = ({ delta, margin }) => margin !== null && Math.abs(delta) > margin;

const signedWithMargin = ({ delta, margin }, digits = 3) => signed(delta, digits) + (margin === null ? "" : ` ± ${margin.toFixed(digits)}`);

function describeMean(group, digits, origin) {
  return `Δ = ${signedWithMargin(group, digits)} bits per character, over ${counted(group.characters)} of ${origin}`;
}

/** Describe the mean on a text; authors: which of A and B generated any of it. */
function describeDifference(whole, origin, authors) {
  const verdicts = { "+": "B predicts better.", "−": "A predicts better." };
  const verdict = verdicts[signed(whole.delta)[0]];
  const better = verdict && whole.margin !== null && !isClear(whole) ? "Neither is clearly better: the interval holds 0." : (verdict ?? "No difference.");
  const warning = authors.length ? `${authors.join(" and ")} wrote this text, and ${OWN_SAMPLES}.` : "";
  return sentences(`On this text ${describeMean(whole, 3, origin)}: A needs ${whole.a.toFixed(3)} bits, B needs ${whole.b.toFixed(3)}.`, better, warning);
}

/** Describe the stored difference: which model is better, and the classes at which it gains and loses most. */
function describeSaved([whole, ...groups]) {
  if (!whole) return "";
  const text = `On ${grouped(whole.characters)} held-out characters`;
  if (Math.abs(whole.delta) <= (whole.margin ?? 0)) {
    return `${text} no difference beyond the 95 % interval: Δ = ${signedWithMargin(whole)} bits per character.`;
  }
  const [better, worse] = whole.delta > 0 ? ["B", "A"] : ["A", "B"];
  const gain = ({ characters, delta }) => characters * delta * Math.sign(whole.delta);
  const size = (group) => signedWithMargin({ ...group, delta: Math.abs(group.delta) }).replace("+", "");
  const clear = groups.filter(isClear).sort((one, other) => gain(other) - gain(one));
  const [most, loss] = [clear.find((group) => gain(group) > 0), clear.findLast((group) => gain(group) < 0)];
  const mean = `${text} ${better} needs ${size(whole)} bits per character fewer than ${worse} (95 %)`;
  return mean + (most ? `, mostly at “${most.name}” (${size(most)} each)` : "") + (loss ? `; ${worse} is better at “${loss.name}” (${size(loss)} each).` : ".");
}

/** Tabulate the groups, as Table.to_json does. */
function differenceTable(caption, names, groups) {
  const number = (value, text) => (value === null ? { text: "–" } : { text: text ?? value.toFixed(3), value });
  const rows = groups.map(({ name, characters, a, b, delta, margin }) => {
    const change = number(delta, (delta < 0 ? "" : "+") + delta.toFixed(3));
    return { quiet: false, cells: [{ text: name }, number(characters, grouped(characters)), number(a), number(b), change, number(margin)] };
  });
  const titles = ["characters", "how many", ...names.map((name) => `${name}, bits`), "Δ, bits", "95 %: ±"];
  const columns = titles.map((title, i) => ({ title, numeric: rows.some(({ cells }) => cells[i].value !== undefined) }));
  return { caption, columns, rows, sortable: false, sorted: null };
}
