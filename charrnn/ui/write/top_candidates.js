// Top candidates under each character: the five most likely ones, with the actual one marked, and the surprisal at the
// cursor. Computed from the stored logits: no temperature, no filter.

import { quoted, visible } from "../components/page_state.js";
import { distribution, entropyBits, surprisalBits } from "../components/sampler.js";

const RUNGS = 5;
const LINE = 14; // pixels, as view.css has them
const MAX_DEPTH = 62; // percent of the color at probability 1, so that ink stays legible
const UNFILTERED = { temperature: 1, top_k: 0, top_p: 1, min_p: 0 };

/** Distribution of the character at position i: {order, raw, …}. */
const distributionAt = (record, i) => distribution(record.logitsAfter(i - 1), UNFILTERED);

/** Describe surprisal and expected surprisal of the character at position i; "" if it is unknown to the model. */
export function describeSurprisal(record, i) {
  const id = i < 0 ? -1 : record.vocabulary.indexOf(record.characters[i]);
  if (id < 0) return "";
  const { order, raw } = distributionAt(record, i);
  const surprisal = surprisalBits(raw[order.indexOf(id)]).toFixed(2);
  return quoted(record.characters[i]) + ": surprisal " + surprisal + " bits, where " + entropyBits(raw).toFixed(2) + " were to be expected";
}

/** Show the candidates under a character: signs as one text, probabilities as bands behind it. */
export function attachCandidates(span, record, i) {
  const { order, raw } = distributionAt(record, i);
  const found = order.slice(0, RUNGS).map((id) => record.vocabulary[id]);
  span.dataset.ladder = found.map(visible).join("\n");
  const bands = found.map((character, rung) => {
    const hue = character === record.characters[i] ? "--cr-plus" : "--cr-minus";
    const color = "color-mix(in srgb, var(" + hue + ") " + (MAX_DEPTH * raw[rung]).toFixed(1) + "%, transparent)";
    return color + " " + rung * LINE + "px " + (rung + 1) * LINE + "px";
  });
  span.style.setProperty("--ladder", "linear-gradient(to bottom, " + bands.join(", ") + ")");
}
