// Captions of the heatmap: name and explanation of each state and gate, title, ends of the scale.

import { create } from "../components/create_element.js";

const RESIDUAL = /^layer (\d+)$/;

const NAMES = {
  h: "hidden state",
  c: "cell state",
  i: "input gate",
  f: "forget gate",
  g: "candidate",
  o: "output gate",
  r: "reset gate",
  z: "update gate",
  n: "candidate",
  embedding: "embedding",
};

const MEMORIES = { h: "The network's memory", c: "The long-term memory" };

const EXPLANATIONS = {
  h: "Each column is the memory after one character, each row one unit.",
  c: "Each column is the long-term memory after one character, each row one unit: a stripe is a unit that keeps its value.",
  i: "Orange lets new information into the memory c, no colour keeps it out.",
  f: "Orange remembers, no colour forgets. A pale column: many units forget at that character.",
  g: "The proposed new information. The input gate i decides how much of it enters the memory c.",
  o: "Orange shows the memory c to the rest of the network as h, no colour hides it.",
  r: "Orange lets the proposed memory n depend on the old one, no colour keeps the old one out.",
  z: "Orange keeps the old memory, no colour replaces it by the proposed one, n.",
  n: "The proposed new memory. It replaces the old one where the update gate z is pale.",
  embedding: "Each column is one character by itself, before the first layer: the same character, the same column.",
};
const LAYER_EXPLANATIONS = {
  last: (layer) => "Each column is the network's state after its last layer, " + layer + ": it alone gives the next character.",
  other: (layer) => "Each column is the network's state after " + layer + ", which read the columns before it and added to them.",
};
const CHANGE_EXPLANATIONS = {
  h: "What each character changed. Pale: kept. Strong: flipped.",
  residual: "How each column differs from the one before. Pale: the same for both characters.",
  other: "What each character changed. Pale: kept.",
};

const ORDER_EXPLANATIONS = {
  similarity: "Rows that behave alike are side by side.",
  index: "Rows in the network's own order.",
  activity: "Most active units on top.",
};

const isResidual = (name) => name === "embedding" || RESIDUAL.test(name);
export const capital = (word) => word[0].toUpperCase() + word.slice(1);

/** Return the symbol of a view in formulas: its letter, or x with the layer for the residual stream. */
export function symbol(name) {
  if (!isResidual(name)) return name;
  const layers = name === "embedding" ? "0" : name.match(RESIDUAL)[1];
  return "x" + Array.from(layers, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]).join("");
}

/** Return the name of a view: "forget gate", "layer 6". */
export const viewName = (name) => NAMES[name] || name;

/** Return the noun for a row of the heatmap. */
export const rowNoun = (name) => (isResidual(name) ? "dimension" : "unit");

/** Format a value with as many digits as give the end of the scale three, with its sign if the scale is signed. */
export function formatValue(value, view, signed) {
  const digits = Math.max(0, Math.min(5, 2 - Math.floor(Math.log10(view.high))));
  const magnitude = Math.abs(value).toFixed(digits);
  return (Number(magnitude) === 0 ? "" : value < 0 ? "−" : signed ? "+" : "") + magnitude;
}

/** Return the title of the heatmap. */
export function heatmapTitle(view, change) {
  const name = isResidual(view.name) ? "residual stream" : viewName(view.name);
  return change ? "change of the " + name + " Δ" + symbol(view.name) : name + " " + symbol(view.name);
}

/** Return the labels of both ends of the scale. */
export function scaleEnds(view, change) {
  const [low, high] = change ? [-view.change, view.change] : [view.low, view.high];
  const prefixes = view.bounded ? ["", ""] : ["≤ ", "≥ "];
  return [low, high].map((value, i) => prefixes[i] + (value < 0 ? "−" : low < 0 ? "+" : "") + Math.abs(value));
}

/** Return the labels of both ends of the scale of a picture; signs alone if each row has its own. */
export const pictureEnds = (view, picture) => (picture.hasOwnScales(view) ? ["−", "+"] : scaleEnds(view, picture.change));

function explanation(view, model, change) {
  if (change) return CHANGE_EXPLANATIONS[view.name] || CHANGE_EXPLANATIONS[isResidual(view.name) ? "residual" : "other"];
  if (RESIDUAL.test(view.name)) return LAYER_EXPLANATIONS[view.name === model.views[0] ? "last" : "other"](view.name);
  return EXPLANATIONS[view.name] || "";
}

/** Describe what is in sight of the pictures of a text of this length. */
export function describeHeatmapPart({ view }, { main, showsAll, visible }, length) {
  const [memory, title] = [MEMORIES[view.name], heatmapTitle(view, main.change)];
  const rows = showsAll ? main.rowsLabel : main.rows.length;
  const numbers = (rows ? rows + " of " : "") + view.rows + " numbers";
  const what = memory && !main.change ? memory + " (" + title + ")" : capital(title);
  return what + ": " + numbers + " after each of " + visible.describe(length);
}

/** Show the captions of the pictures with this row order. */
export function showCaptions(element, record, { main, map, strips }, order) {
  const $ = (selector) => element.querySelector(selector);
  const { view, model } = record;
  const [low, high] = pictureEnds(view, main);
  const scale = main.hasOwnScales(view) ? "each row on its own scale" : "coloured from " + low + " to " + high;
  $(".cr-map").setAttribute("aria-label", capital(heatmapTitle(view, map.change)) + ", " + scale);
  const crowded = map.rowHeight < 1 ? " More rows than pixels: point at them to see single units." : "";
  $(".cr-see").textContent = explanation(view, model, map.change) + " " + ORDER_EXPLANATIONS[order] + crowded;
  $(".cr-strips-see").textContent = view.named ? describeStrips(view, model, strips) : "";
  showNames($(".cr-names-how"), view);
  $(".cr-least").textContent = low;
  $(".cr-most").textContent = high;
  $(".cr-scale").classList.toggle("cr-from-zero", !map.change && view.low === 0);
  $(".cr-scale").title = view.bounded || main.hasOwnScales(view) ? "" : "up to three times the median size on a text that this model wrote; larger values have the same colour";
  $(".cr-source").textContent = model.title + ", step " + model.step + " · " + model.sha256.slice(0, 7);
}

/** Describe the strips, and the step of their names if it is not the model's. */
function describeStrips(view, model, strips) {
  const { named } = view;
  const noun = rowNoun(view.name);
  const own = strips.hasOwnScales(view) ? " Full colour is its own largest value." : "";
  const step = named.step.toLocaleString("en");
  const other = model.step === named.step ? "" : " Named at step " + step + ": at step " + model.step.toLocaleString("en") + " a " + noun + " may not behave like this yet.";
  return "Each strip is one " + noun + ": what it follows, and the colour it takes there. Choose it to colour the text." + own + other;
}

/** Show how the names of a view were found. */
function showNames(element, { name: view, named }) {
  element.hidden = !named;
  if (!named) return;
  const { characters, concepts, chance, units } = named;
  const noun = rowNoun(view);
  const expected = chance === null ? "" : " (an untrained network: " + chance.toFixed(1) + " on average)";
  const found = concepts + " concepts have a " + noun + " that follows them better than units of untrained networks do" + expected;
  element.querySelector("p").textContent = found + ". Scores on " + characters.toLocaleString("en") + " held-out characters, with 95 % intervals:";
  element.querySelector("ul").replaceChildren(...units.map(({ unit, name, score }) => create("li", {}, name + ", " + noun + " " + unit + ": " + score)));
}
