// Candidates for the characters of a text, as the network predicts them: without temperature and filters.

import { quoted, visible } from "../components/page_state.js";
import { distribution, entropyBits, surprisalBits } from "../components/sampler.js";

const RUNNERS_UP = 5;
const LINE_HEIGHT = 14; // pixels, as in view.css
const MAX_COLOR = 62; // percent of the color at probability 1, so that the text stays legible
const UNFILTERED = { temperature: 1, top_k: 0, top_p: 1, min_p: 0 };

/** Compute the distribution of the character at position i. */
export const distributionAt = (record, i) => distribution(record.logitsAfter(i - 1), UNFILTERED);

/** Return the first `count` ranks of a distribution; if the rank `always` (−1 for none) is not among them, it replaces the last. */
export function shownRanks(size, count, always) {
  const shown = Math.min(count, size);
  return Array.from({ length: shown }, (_, row) => (row === shown - 1 && always >= shown ? always : row));
}

/** Describe surprisal and expected surprisal of the character at position i; "" if it is unknown to the model. */
export function describeSurprisal(record, i) {
  const id = record.ids.get(record.characters[i]);
  if (id === undefined) return "";
  const { order, raw } = distributionAt(record, i);
  const bits = surprisalBits(raw[order.indexOf(id)]).toFixed(2);
  return `${quoted(record.characters[i])} cost ${bits} bits; on average this place costs ${entropyBits(raw).toFixed(2)}`;
}

/** Show the likeliest characters under a character: their signs as one text, their probabilities as bands behind it. */
export function attachRunnersUp(span, record, i) {
  const { order, raw } = distributionAt(record, i);
  const candidates = order.slice(0, RUNNERS_UP).map((id) => record.vocabulary[id]);
  span.dataset.runnersUp = candidates.map(visible).join("\n");
  const bands = candidates.map((character, rank) => {
    const hue = character === record.characters[i] ? "--cr-plus" : "--cr-minus";
    const color = "color-mix(in srgb, var(" + hue + ") " + (MAX_COLOR * raw[rank]).toFixed(1) + "%, transparent)";
    return color + " " + rank * LINE_HEIGHT + "px " + (rank + 1) * LINE_HEIGHT + "px";
  });
  span.style.setProperty("--runners-up", "linear-gradient(to bottom, " + bands.join(", ") + ")");
}
