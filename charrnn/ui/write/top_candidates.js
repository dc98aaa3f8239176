// The ladder: under each character the five likeliest in its place, the one that stands there marked; and how surprising
// the character at the cursor is. All from the logits that the page keeps, as the model gave them: no temperature, no filter.

import { quoted, visible } from "../components/page_state.js";

const RUNGS = 5;
const LINE = 14; // pixels, as view.css has them
const DEEPEST = 62; // percent of the colour at probability 1: ink stays readable on it
const bits = (p) => -Math.log2(p);

/** The model's own probabilities of the character at position i, by id. */
function probabilitiesAt(record, i) {
  const logits = record.logitsAfter(i - 1);
  const most = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(logits, (x) => Math.exp(x - most));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/** The likeliest characters at position i, {character, p, stands}, the likeliest first. */
export function topCandidates(record, i) {
  const probs = probabilitiesAt(record, i);
  const order = Array.from(probs.keys()).sort((a, b) => probs[b] - probs[a] || a - b);
  return order.slice(0, RUNGS).map((id) => {
    const character = record.vocabulary[id];
    return { character, p: probs[id], stands: character === record.characters[i] };
  });
}

/** {surprisal, entropy} in bits of the character at position i; null where the model does not know it. */
export function surpriseAt(record, i) {
  const probs = probabilitiesAt(record, i);
  const id = record.vocabulary.indexOf(record.characters[i]);
  if (id < 0) return null;
  return { surprisal: bits(probs[id]), entropy: probs.reduce((sum, p) => (p > 0 ? sum + p * bits(p) : sum), 0) };
}

/** The same as a sentence. */
export function surpriseWords(record, i) {
  const at = i >= 0 ? surpriseAt(record, i) : null;
  if (!at) return "";
  return quoted(record.characters[i]) + ": surprisal " + at.surprisal.toFixed(2) + " bits, where " + at.entropy.toFixed(2) + " were to be expected";
}

/** Hang the rungs under a character: their signs as one text, their probabilities as bands behind it. */
export function attachCandidates(span, record, i) {
  const found = topCandidates(record, i);
  span.dataset.ladder = found.map(({ character }) => visible(character)).join("\n");
  const bands = found.map(({ p, stands }, rung) => {
    const colour = "color-mix(in srgb, var(" + (stands ? "--cr-plus" : "--cr-minus") + ") " + (DEEPEST * p).toFixed(1) + "%, transparent)";
    return colour + " " + rung * LINE + "px " + (rung + 1) * LINE + "px";
  });
  span.style.setProperty("--ladder", "linear-gradient(to bottom, " + bands.join(", ") + ")");
}
