// Top candidates under each character, with the actual one marked, and the surprisal at the cursor. Without temperature and
// filters.

import { quoted, visible } from "../components/page_state.js";
import { distribution, entropyBits, surprisalBits } from "../components/sampler.js";

const CANDIDATES = 5;
const LINE_HEIGHT = 14; // pixels, as in view.css
const MAX_COLOR = 62; // percent of the color at probability 1, so that the text stays legible
const UNFILTERED = { temperature: 1, top_k: 0, top_p: 1, min_p: 0 };

/** Compute the distribution of the character at position i. */
const distributionAt = (record, i) => distribution(record.logitsAfter(i - 1), UNFILTERED);

/** Describe surprisal and expected surprisal of the character at position i; "" if it is unknown to the model. */
export function describeSurprisal(record, i) {
  const id = i < 0 ? -1 : record.vocabulary.indexOf(record.characters[i]);
  if (id < 0) return "";
  const { order, raw } = distributionAt(record, i);
  const surprisal = surprisalBits(raw[order.indexOf(id)]).toFixed(2);
  return quoted(record.characters[i]) + ": surprisal " + surprisal + " bits, where " + entropyBits(raw).toFixed(2) + " were to be expected";
}

/** Show the candidates under a character: their signs as one text, their probabilities as bands behind it. */
export function attachCandidates(span, record, i) {
  const { order, raw } = distributionAt(record, i);
  const candidates = order.slice(0, CANDIDATES).map((id) => record.vocabulary[id]);
  span.dataset.ladder = candidates.map(visible).join("\n");
  const bands = candidates.map((character, rank) => {
    const hue = character === record.characters[i] ? "--cr-plus" : "--cr-minus";
    const color = "color-mix(in srgb, var(" + hue + ") " + (MAX_COLOR * raw[rank]).toFixed(1) + "%, transparent)";
    return color + " " + rank * LINE_HEIGHT + "px " + (rank + 1) * LINE_HEIGHT + "px";
  });
  span.style.setProperty("--ladder", "linear-gradient(to bottom, " + bands.join(", ") + ")");
}
