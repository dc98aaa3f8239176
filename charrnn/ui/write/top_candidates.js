// Top candidates under each character: the five most likely ones, with the actual one marked, and the surprisal at the
// cursor. Computed from the stored logits: no temperature, no filter.

import { quoted, visible } from "../components/page_state.js";

const RUNGS = 5;
const LINE = 14; // pixels, as view.css has them
const MAX_DEPTH = 62; // percent of the color at probability 1, so that ink stays legible
const bits = (p) => -Math.log2(p);

/** Model probabilities of the character at position i, by id. */
function probabilitiesAt(record, i) {
  const logits = record.logitsAfter(i - 1);
  const most = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Float64Array.from(logits, (x) => Math.exp(x - most));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/** Top candidates at position i, {character, p, stands}, most likely first. */
export function topCandidates(record, i) {
  const probs = probabilitiesAt(record, i);
  const order = Array.from(probs.keys()).sort((a, b) => probs[b] - probs[a] || a - b);
  return order.slice(0, RUNGS).map((id) => {
    const character = record.vocabulary[id];
    return { character, p: probs[id], stands: character === record.characters[i] };
  });
}

/** {surprisal, entropy} in bits of the character at position i; null if unknown to the model. */
export function surpriseAt(record, i) {
  const probs = probabilitiesAt(record, i);
  const id = record.vocabulary.indexOf(record.characters[i]);
  if (id < 0) return null;
  return { surprisal: bits(probs[id]), entropy: probs.reduce((sum, p) => (p > 0 ? sum + p * bits(p) : sum), 0) };
}

/** Describe them in a sentence. */
export function surpriseWords(record, i) {
  const at = i >= 0 ? surpriseAt(record, i) : null;
  if (!at) return "";
  return quoted(record.characters[i]) + ": surprisal " + at.surprisal.toFixed(2) + " bits, where " + at.entropy.toFixed(2) + " were to be expected";
}

/** Show the candidates under a character: signs as one text, probabilities as bands behind it. */
export function attachCandidates(span, record, i) {
  const found = topCandidates(record, i);
  span.dataset.ladder = found.map(({ character }) => visible(character)).join("\n");
  const bands = found.map(({ p, stands }, rung) => {
    const colour = "color-mix(in srgb, var(" + (stands ? "--cr-plus" : "--cr-minus") + ") " + (MAX_DEPTH * p).toFixed(1) + "%, transparent)";
    return colour + " " + rung * LINE + "px " + (rung + 1) * LINE + "px";
  });
  span.style.setProperty("--ladder", "linear-gradient(to bottom, " + bands.join(", ") + ")");
}
