// A text colored by the difference of two surprisals.

import { createColoredText } from "../components/colored_text.js";
import { signed } from "../components/number_format.js";
import { quoted } from "../components/page_state.js";

const FULL_COLOR_BITS = 3; // difference with full color
const UNDERLINED_BITS = 1; // smallest difference that is underlined

const bitsOf = (millibits) => (millibits / 1000).toFixed(3);

/** Return a function that shows an answer in this box, or hides it without a text. */
export function createSurprisalText(box) {
  let shown = null; // the answer, with the characters of its text
  const delta = (i) => shown.bits[0][i] - shown.bits[1][i]; // thousandths of a bit

  function describe(i) {
    const [a, b] = shown.bits;
    const character = `${quoted(shown.characters[i])}, ${shown.kind_names[shown.kinds[i]]}, character ${(i + 1).toLocaleString("en")}`;
    return `${character}: A ${bitsOf(a[i])} bits, B\u00a0${bitsOf(b[i])} bits, Δ\u00a0=\u00a0${signed(delta(i) / 1000)}`;
  }

  const text = createColoredText(box, {
    level: (i) => Math.round(127 * Math.max(-1, Math.min(1, delta(i) / 1000 / FULL_COLOR_BITS))),
    describe,
    decorate(span, i) {
      span.classList.toggle("cr-b-better", delta(i) >= 1000 * UNDERLINED_BITS);
      span.classList.toggle("cr-a-better", delta(i) <= -1000 * UNDERLINED_BITS);
    },
  });

  return (answer) => {
    if (!answer.text) return text.show(null);
    shown = { ...answer, characters: Array.from(answer.text) };
    const largest = shown.characters.reduce((best, _, i) => (Math.abs(delta(i)) > Math.abs(delta(best)) ? i : best), 0);
    const differs = delta(largest) !== 0;
    for (const key of box.closest("form").querySelectorAll(".cr-delta-key, .cr-delta-scale")) key.hidden = !differs;
    text.show(shown.characters, largest, differs ? "The largest difference: " + describe(largest) : "No letter is coloured: both predict each of them equally well.");
  };
}
