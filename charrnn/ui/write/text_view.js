// The text: a block per line and a span per character; words do not wrap.

import { create } from "../components/create_element.js";
import { addSign } from "../components/page_state.js";
import { attachRunnersUp } from "./runners_up.js";

export class TextView {
  constructor(box) {
    this.box = box;
    this.showsRunnersUp = false;
    this.spans = []; // by position
    this.line = this.word = null; // to append to; null to begin a new one
    this.marked = null; // span under the cursor
    this.follows = true; // the end of the text, unless the user has scrolled away
    this.isHeld = false; // it does not scroll while a letter is being chosen
  }

  /** Hold the text where it is, or let it follow its end again. */
  hold(isHeld) {
    this.isHeld = isHeld;
    if (!isHeld && this.follows) this.box.scrollTop = this.box.scrollHeight;
  }

  /** Scroll the box, not the page, to the character under the cursor. */
  showMarked() {
    if (!this.marked) return;
    const [letter, box] = [this.marked, this.box].map((element) => element.getBoundingClientRect());
    if (letter.top < box.top || letter.bottom > box.bottom) this.box.scrollTop += letter.top - box.top - box.height / 2;
  }

  /** Append positions from … to of the record. */
  append(record, from, to, color) {
    if (!this.isHeld) this.follows = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 48;
    for (let i = from; i < to; i++) {
      if (!this.line) this.box.append((this.line = create("div", { className: "cr-line", dir: "auto", translate: false })));
      if (!this.word) this.line.append((this.word = create("cr-word")));
      const character = record.characters[i];
      const span = create("span", {}, character);
      span.position = i;
      if (i < record.prompt) span.className = "cr-given";
      if (character === "\n") span.classList.add("cr-newline");
      addSign(span, character);
      if (record.isChosen(i)) {
        span.classList.add("cr-chosen");
        span.title = "you chose this letter";
      }
      if (this.showsRunnersUp) attachRunnersUp(span, record, i);
      this.spans.push(span); // before its color: a largest value of its unit recolors all spans
      color(span, i);
      this.word.append(span);
      this.endAfter(character);
    }
    if (this.follows && !this.isHeld) this.box.scrollTop = this.box.scrollHeight;
  }

  /** End the word after a space, and the line after a line feed. */
  endAfter(character) {
    if (character === " " || character === "\n") this.word = null;
    if (character === "\n") this.line = null;
  }

  /** Truncate to `length` characters. */
  cut(length) {
    for (const span of this.spans.splice(length)) (span.previousSibling ? span : span.parentElement).remove();
    if (this.marked && this.marked.position >= length) this.marked = null;
    const last = this.spans.at(-1);
    this.word = last ? last.parentElement : null;
    this.line = last ? this.word.parentElement : null;
    while (this.box.lastElementChild !== this.line) this.box.lastElementChild.remove();
    if (last) this.endAfter(last.textContent);
  }

  /** Show or hide the five likeliest characters under each character. */
  showRunnersUp(record, shown) {
    this.showsRunnersUp = shown;
    this.box.classList.toggle("cr-with-runners-up", shown);
    if (shown && record) this.spans.forEach((span, i) => attachRunnersUp(span, record, i));
  }

  /** Frame the character under the cursor; none at position −1. */
  mark(position, scroll = false) {
    if (this.marked) this.marked.classList.remove("cr-cursor");
    this.marked = this.spans[position] ?? null;
    if (!this.marked) return;
    this.marked.classList.add("cr-cursor");
    if (scroll) this.marked.scrollIntoView({ block: "nearest" });
  }

  /** Return the position of the character under a pointer event; null without one. */
  positionOf(event) {
    const span = event.target.closest("span");
    return span?.position ?? null;
  }
}
