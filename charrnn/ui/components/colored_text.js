// A text with colored characters, a cursor for pointer and keyboard, and a line that describes the character at the cursor.

import { ColorScale } from "./color_scale.js";
import { create } from "./create_element.js";
import { addSign, onTheme } from "./page_state.js";

/** Create the span of the character at position i. */
export function characterSpan(character, i) {
  const span = create("span", character === "\n" ? "cr-end" : {}, character);
  addSign(span, character);
  span.position = i;
  return span;
}

/**
 * Set up the text in this box (.cr-passage, .cr-readout, a status for screen readers).
 *
 * level(i): color level −127 … 127 of a character; describe(i): its description; decorate(span, i): adds other marks;
 * moved(i): called when the user moves the cursor.
 * Returns {show, goTo}: show(characters, start, intro) draws a text with the cursor at `start`, and `intro` instead of the
 * description there; null hides it.
 */
export function createColoredText(box, { level, describe, decorate = () => {}, moved = () => {} }) {
  const passage = box.querySelector(".cr-passage");
  const readout = box.querySelector(".cr-readout");
  const status = box.querySelector('[role="status"]');
  let spans = [];
  let cursor = 0;
  let marked = null;

  function mark(i) {
    marked?.classList.remove("cr-here");
    marked = spans[i];
    marked.classList.add("cr-here");
    readout.textContent = describe(i);
  }

  function color() {
    if (!spans.length) return;
    const palette = new ColorScale(box);
    spans.forEach((span, i) => {
      const index = level(i) + 127;
      span.style.background = palette.fills[index];
      span.style.color = palette.letter;
      decorate(span, i);
    });
  }

  function draw(characters) {
    const lines = [];
    let line = null;
    spans = characters.map((character, i) => {
      if (!line) lines.push((line = create("div", { dir: "auto", translate: false })));
      const span = characterSpan(character, i);
      line.append(span);
      if (character === "\n") line = null;
      return span;
    });
    passage.replaceChildren(...lines);
    passage.scrollTop = 0;
    marked = null;
  }

  /** Return the position in the same column of another line, or at its end if it is shorter. */
  function inLine(target) {
    if (!target) return cursor;
    const column = [...spans[cursor].parentElement.children].indexOf(spans[cursor]);
    return target.children[Math.min(column, target.children.length - 1)].position;
  }

  function goTo(i) {
    cursor = Math.max(0, Math.min(spans.length - 1, i));
    mark(cursor);
    const [frame, span] = [passage.getBoundingClientRect(), marked.getBoundingClientRect()];
    if (span.top < frame.top || span.bottom > frame.bottom) {
      const line = parseFloat(getComputedStyle(passage).lineHeight);
      passage.scrollTop = line * Math.round((passage.scrollTop + span.top - frame.top - frame.height / 3) / line); // no line is cut
    }
    status.textContent = describe(cursor);
    moved(cursor);
  }

  passage.addEventListener("pointermove", (event) => {
    const i = event.target.position;
    if (i !== undefined && spans[i] !== marked) mark(i);
  });
  passage.addEventListener("pointerleave", () => spans.length && mark(cursor));
  passage.addEventListener("click", (event) => {
    if (event.target.position === undefined) return;
    mark((cursor = event.target.position));
    moved(cursor);
  });
  passage.addEventListener("focus", () => spans.length && mark(cursor));
  passage.addEventListener("keydown", (event) => {
    if (!spans.length || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = {
      ArrowLeft: () => cursor - 1,
      ArrowRight: () => cursor + 1,
      ArrowUp: () => inLine(spans[cursor].parentElement.previousElementSibling),
      ArrowDown: () => inLine(spans[cursor].parentElement.nextElementSibling),
      Home: () => 0,
      End: () => spans.length - 1,
    }[event.key];
    if (!target) return;
    event.preventDefault();
    event.stopPropagation();
    goTo(target());
  });
  onTheme(color);

  return {
    show(characters, start = 0, intro = "") {
      box.hidden = !characters;
      if (!characters) return (spans = []);
      draw(characters);
      color();
      mark((cursor = start));
      if (intro) readout.textContent = intro;
    },
    goTo,
  };
}
