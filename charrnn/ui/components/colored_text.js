// A text with colored characters, a cursor for pointer and keyboard, and a readout line.

import { ColorScale } from "./color_scale.js";
import { create } from "./create_element.js";
import { giveSign, onTheme } from "./page_state.js";

/** Create the span of the character at position i. */
export function characterSpan(character, i) {
  const span = create("span", character === "\n" ? "cr-end" : {}, character);
  giveSign(span, character);
  span.position = i;
  return span;
}

/**
 * Set up the text in this box (.cr-passage, .cr-readout, a status for screen readers).
 *
 * level(i): color level −127 … 127 of a character; sentence(i): its description; dress(span, i): adds other marks;
 * moved(i): called when the user moves the cursor.
 * Returns {show, goTo}: show(characters, start, words) draws a text with the cursor at `start`; null hides it.
 */
export function createColoredText(box, { level, sentence, dress = () => {}, moved = () => {} }) {
  const place = box.querySelector(".cr-passage");
  const readout = box.querySelector(".cr-readout");
  const status = box.querySelector('[role="status"]');
  let spans = [];
  let cursor = 0;
  let marked = null;

  function mark(i) {
    marked?.classList.remove("cr-here");
    marked = spans[i];
    marked.classList.add("cr-here");
    readout.textContent = sentence(i);
  }

  function color() {
    if (!spans.length) return;
    const palette = new ColorScale(box);
    spans.forEach((span, i) => {
      const at = level(i) + 127;
      span.style.background = palette.fills[at];
      span.style.color = palette.inks[at];
      dress(span, i);
    });
  }

  function draw(characters) {
    const lines = [];
    let line = null;
    spans = characters.map((character, i) => {
      if (!line) lines.push((line = create("div", { dir: "auto" })));
      const span = characterSpan(character, i);
      line.append(span);
      if (character === "\n") line = null;
      return span;
    });
    place.replaceChildren(...lines);
    place.scrollTop = 0;
    marked = null;
  }

  /** The same column of the previous or next line, or the line's end. */
  function besides(by) {
    const row = spans[cursor].parentElement;
    const other = by < 0 ? row.previousElementSibling : row.nextElementSibling;
    if (!other) return cursor;
    const column = [...row.children].indexOf(spans[cursor]);
    return other.children[Math.min(column, other.children.length - 1)].position;
  }

  function goTo(i) {
    cursor = Math.max(0, Math.min(spans.length - 1, i));
    mark(cursor);
    const [frame, here] = [place.getBoundingClientRect(), marked.getBoundingClientRect()];
    if (here.top < frame.top || here.bottom > frame.bottom) place.scrollTop += here.top - frame.top - frame.height / 3;
    status.textContent = sentence(cursor);
    moved(cursor);
  }

  place.addEventListener("pointermove", (event) => {
    const i = event.target.position;
    if (i !== undefined && spans[i] !== marked) mark(i);
  });
  place.addEventListener("pointerleave", () => spans.length && mark(cursor));
  place.addEventListener("click", (event) => {
    if (event.target.position === undefined) return;
    mark((cursor = event.target.position));
    moved(cursor);
  });
  place.addEventListener("focus", () => spans.length && mark(cursor));
  place.addEventListener("keydown", (event) => {
    if (!spans.length || event.ctrlKey || event.metaKey || event.altKey) return;
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
    goTo(to());
  });
  onTheme(color);

  return {
    show(characters, start = 0, words = "") {
      box.hidden = !characters;
      if (!characters) return (spans = []);
      draw(characters);
      color();
      mark((cursor = start));
      if (words) readout.textContent = words;
    },
    goTo,
  };
}
