// Captions of the heatmap: title, ends of the scale, explanation.

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

const EXPLANATIONS = {
  h: "A column is what the network holds after a character; one unlike its neighbours is a character that changed the state a lot.",
  c: "The long memory of the LSTM: a stripe is a unit that holds on to something, its end is where it lets go.",
  i: "How much of the candidate g enters the memory c: orange takes it in, paper keeps it out.",
  f: "How much of the memory c stays: orange keeps it, paper forgets it; a pale column is a character at which many units forget.",
  g: "What this character would write into the memory c; the input gate i says how much of it does.",
  o: "How much of the memory c is shown as h: orange shows it, paper holds it back.",
  r: "How much of the old state the candidate n sees: orange all of it, paper none.",
  z: "How much of the old state stays: orange keeps it, paper replaces it by the candidate n.",
  n: "What this character would make of the state; it does where the update gate z is pale.",
  embedding: "Before the first layer: each character by itself, so that the same character has the same column.",
};
const LAYER_EXPLANATIONS = {
  last: (layer) => "After the last layer, " + layer + ": from this column alone the next character is predicted.",
  other: (layer) => "After " + layer + ", which read the stream and added to it.",
};
const CHANGE_EXPLANATIONS = {
  h: "What each character changed: pale means kept, full colour means a unit turned over.",
  residual: "How each column differs from the one before: pale dimensions are alike for both characters.",
  other: "What each character changed: pale means kept.",
};

const ORDER_EXPLANATIONS = {
  similarity: (row) => row + "s that behave alike stand together.",
  index: (row) => row + "s in the order of the weights.",
  activity: (row) => "On top the " + row.toLowerCase() + "s that change most.",
};

const isResidual = (name) => name === "embedding" || RESIDUAL.test(name);
const capital = (word) => word[0].toUpperCase() + word.slice(1);

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

function explanation(view, model, change) {
  if (change) return CHANGE_EXPLANATIONS[view.name] || CHANGE_EXPLANATIONS[isResidual(view.name) ? "residual" : "other"];
  if (RESIDUAL.test(view.name)) return LAYER_EXPLANATIONS[view.name === model.views[0] ? "last" : "other"](view.name);
  return EXPLANATIONS[view.name] || "";
}

/** Describe what is in sight of the heatmap of a text of this length. */
export function describeHeatmapPart({ view }, map, length) {
  const range = map.range ? "rows " + (map.range.first + 1) + "–" + (map.range.last + 1) + " of " : "";
  return heatmapTitle(view, map.change) + ", " + range + view.rows + " " + rowNoun(view.name) + "s, " + map.describeColumns(length);
}

/** Show the captions of the heatmap with this row order. */
export function showCaptions(element, record, map, order) {
  const $ = (selector) => element.querySelector(selector);
  const { view, model } = record;
  const row = rowNoun(view.name);
  const [low, high] = scaleEnds(view, map.change);
  $(".cr-map").setAttribute("aria-label", capital(heatmapTitle(view, map.change)) + ", coloured from " + low + " to " + high);
  const crowded = map.rowHeight < 1 ? " Neighbours share a line of pixels, the magnifier shows each." : "";
  $(".cr-see").textContent = explanation(view, model, map.change) + " " + ORDER_EXPLANATIONS[order](capital(row)) + crowded;
  $(".cr-least").textContent = low;
  $(".cr-most").textContent = high;
  $(".cr-scale").classList.toggle("cr-from-zero", !map.change && view.low === 0);
  $(".cr-scale").title = view.bounded ? "" : "up to three times the median size on a text of this model's own; what lies beyond has the same colour";
  $(".cr-source").textContent = model.title + ", step " + model.step + " · " + model.sha256.slice(0, 7);
}
