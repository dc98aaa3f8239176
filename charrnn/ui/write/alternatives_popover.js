// The likeliest characters at a position of the text, in a popover at its character: choosing one writes it there.

import { create } from "../components/create_element.js";
import { quoted, spoken, visible } from "../components/page_state.js";
import { distributionAt, shownRanks } from "./runners_up.js";
import { describeGiven } from "./cursor_labels.js";
import { percent, withPercent } from "./percent.js";

const ROWS = 8;
const GAP = 4; // pixels between the character and the popover, and to the edge of the window
const MIN_HEIGHT = 160; // pixels, of a popover that scrolls

export class Alternatives {
  /** choose(position, character) writes a character; `text`: the TextView, which gets the focus back. */
  constructor(box, text, choose) {
    const $ = (selector) => box.querySelector(selector);
    [this.head, this.list, this.note] = [$(".cr-alternatives-head"), $(".cr-alternatives-list"), $(".cr-alternatives-note")];
    Object.assign(this, { box, text, choose, position: null });
    $(".cr-alternatives-close").addEventListener("click", () => this.close());
    box.addEventListener("keydown", (event) => this.onKey(event));
    box.addEventListener("toggle", ({ newState }) => text.hold(newState === "open"));
    const onScroll = ({ target }) => target !== box && this.place(); // of the text or the page
    addEventListener("scroll", onScroll, { capture: true, passive: true });
    addEventListener("resize", () => this.place());
  }

  get isOpen() {
    return this.box.matches(":popover-open");
  }

  /** List the characters for a position of the text. */
  open(record, position) {
    const { order, raw } = distributionAt(record, position);
    const written = record.characters[position];
    const isGiven = position < record.prompt;
    const writtenRank = order.indexOf(record.ids.get(written));
    const rows = shownRanks(order.length, ROWS, writtenRank).map((rank) => {
      const character = record.vocabulary[order[rank]];
      const write = isGiven ? null : () => this.write(position, character);
      return create("li", {}, characterButton(character, raw[rank], raw[rank] / raw[0], rank === writtenRank, write));
    });
    this.position = position;
    this.head.replaceChildren(isGiven ? "What the network expected in place of " : "Write another letter in place of ", create("b", {}, quoted(written)));
    this.box.ariaLabel = spoken(this.head.textContent);
    this.list.replaceChildren(...rows);
    this.note.textContent = isGiven ? describeGiven(record) : "Percentages of the network, before temperature and filters.";
    if (!this.isOpen) this.box.showPopover();
    this.place();
    (this.list.querySelector("button:enabled") ?? this.box).focus({ preventScroll: true });
  }

  /** Close, with the focus in the text again. */
  close() {
    if (!this.isOpen) return;
    this.box.hidePopover();
    this.text.box.focus({ preventScroll: true });
  }

  write(position, character) {
    this.close();
    this.choose(position, character);
  }

  /** Place the popover below its character, or above if there is more room; it scrolls if neither is enough. */
  place() {
    if (!this.isOpen) return;
    const span = this.text.spans[this.position];
    if (!span) {
      this.close();
      return;
    }
    const zoom = this.box.getBoundingClientRect().width / this.box.offsetWidth; // of the lecture: size in the window / size in CSS
    const { clientWidth: width, clientHeight: height } = document.documentElement;
    const letter = span.getBoundingClientRect();
    this.box.style.maxHeight = "";
    const [below, above] = [height - letter.bottom - 2 * GAP, letter.top - 2 * GAP];
    const isBelow = below >= this.box.getBoundingClientRect().height || below >= above;
    this.box.style.maxHeight = Math.max(MIN_HEIGHT, isBelow ? below : above) / zoom + "px";
    const own = this.box.getBoundingClientRect();
    const top = isBelow ? letter.bottom + GAP : letter.top - GAP - own.height;
    const left = Math.max(GAP, Math.min(letter.left - GAP, width - own.width - GAP));
    const last = Math.max(GAP, height - own.height - GAP);
    Object.assign(this.box.style, { left: left / zoom + "px", top: Math.max(GAP, Math.min(top, last)) / zoom + "px" });
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const closes = event.key === "Escape" || event.key === "Tab";
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.close(); // the key moves the cursor
    if (!move && !closes) return;
    event.preventDefault();
    event.stopPropagation();
    if (closes) this.close();
    else this.moveFocus(move);
  }

  moveFocus(by) {
    const buttons = [...this.list.querySelectorAll("button:enabled")];
    if (buttons.length) buttons[(buttons.indexOf(document.activeElement) + by + buttons.length) % buttons.length].focus();
  }
}

/** Create the button of a character. share: width of its bar; write: null for a character that cannot be chosen. */
function characterButton(character, p, share, isWritten, write) {
  return create(
    "button",
    {
      type: "button",
      disabled: !write,
      className: isWritten ? "cr-written-here" : "",
      ariaLabel: `${spoken(quoted(character))}, ${percent(p)} percent${isWritten ? ", in the text" : ""}`,
      onclick: write,
    },
    create("b", {}, visible(character)),
    create("span", "cr-track", create("i", { style: `width: ${100 * share}%` })),
    create("span", {}, withPercent(p)),
  );
}
