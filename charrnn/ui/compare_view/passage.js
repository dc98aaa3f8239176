// A text whose characters are coloured by the difference of two surprisals, with a cursor for pointer and keyboard.

import { Palette } from "../live_view/palette.js";
import { onTheme, quoted } from "../page.js";

const FULL_BITS = 3; // from here on the colour is as strong as it gets
const UNDERLINED_BITS = 1; // from here on a line under the character says the same as the colour

const bitsOf = (millibits) => (millibits / 1000).toFixed(3);
const signed = (millibits) => (millibits < 0 ? "−" : millibits > 0 ? "+" : "") + bitsOf(Math.abs(millibits));

/** Returns what shows an answer in this box, or hides it where there is no text. */
export function passageIn(box) {
  const place = box.querySelector(".cr-passage");
  const readout = box.querySelector(".cr-readout");
  const status = box.querySelector('[role="status"]');
  let shown = null; // the answer
  let spans = [];
  let cursor = 0;
  let marked = null;

  const delta = (i) => shown.bits[0][i] - shown.bits[1][i]; // thousandths of a bit

  function sentence(i) {
    const [a, b] = shown.bits;
    const what = `${quoted(shown.characters[i])}, ${shown.kind_names[shown.kinds[i]]}, character ${(i + 1).toLocaleString("en")}`;
    return `${what}: A ${bitsOf(a[i])} bits, B\u00a0${bitsOf(b[i])} bits, Δ\u00a0=\u00a0${signed(delta(i))}`;
  }

  function mark(i) {
    marked?.classList.remove("cr-here");
    marked = spans[i];
    marked.classList.add("cr-here");
    readout.textContent = sentence(i);
  }

  function colour() {
    if (!shown) return;
    const palette = new Palette(box);
    spans.forEach((span, i) => {
      const bits = delta(i) / 1000;
      const level = Math.round(127 * Math.max(-1, Math.min(1, bits / FULL_BITS)));
      span.style.background = palette.fills[level + 127];
      span.style.color = palette.inks[level + 127];
      span.classList.toggle("cr-b-better", bits >= UNDERLINED_BITS);
      span.classList.toggle("cr-a-better", bits <= -UNDERLINED_BITS);
    });
  }

  function draw() {
    const lines = [];
    let line = null;
    spans = shown.characters.map((character, i) => {
      if (!line) lines.push((line = document.createElement("div")));
      const span = document.createElement("span");
      span.textContent = character;
      span.position = i;
      if (character === "\n") {
        span.className = "cr-end";
        line = null;
      } else line.append(span);
      if (character === "\n") lines.at(-1).append(span);
      return span;
    });
    place.replaceChildren(...lines);
    place.scrollTop = 0;
    cursor = spans.reduce((best, _, i) => (Math.abs(delta(i)) > Math.abs(delta(best)) ? i : best), 0);
    colour();
    mark(cursor);
    readout.textContent = "The largest difference: " + sentence(cursor);
  }

  /** The same column one line further up or down, or the line's end. */
  function besides(by) {
    const row = spans[cursor].parentElement;
    const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
    if (!other) return cursor;
    const column = [...row.children].indexOf(spans[cursor]);
    return other.children[Math.min(column, other.children.length - 1)].position;
  }

  place.addEventListener("pointermove", (event) => {
    const i = event.target.position;
    if (i !== undefined && spans[i] !== marked) mark(i);
  });
  place.addEventListener("pointerleave", () => shown && mark(cursor));
  place.addEventListener("click", (event) => {
    if (event.target.position !== undefined) mark((cursor = event.target.position));
  });
  place.addEventListener("focus", () => shown && mark(cursor));
  place.addEventListener("keydown", (event) => {
    if (!shown || event.ctrlKey || event.metaKey || event.altKey) return;
    const to = {
      ArrowLeft: () => cursor - 1,
      ArrowRight: () => cursor + 1,
      ArrowUp: () => besides(-1),
      ArrowDown: () => besides(1),
      Home: () => 0,
      End: () => spans.length - 1,
    }[event.key];
    if (!to) return;
    event.preventDefault();
    event.stopPropagation();
    cursor = Math.max(0, Math.min(spans.length - 1, to()));
    mark(cursor);
    marked.scrollIntoView({ block: "nearest" });
    status.textContent = sentence(cursor);
  });
  onTheme(colour);

  return (answer) => {
    box.hidden = !answer.text;
    shown = answer.text ? { ...answer, characters: Array.from(answer.text) } : null;
    if (shown) draw();
  };
}
