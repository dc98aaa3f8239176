// The most surprising characters of the text as a list; choosing one moves the cursor there.

import { create } from "../components/create_element.js";
import { quoted, spoken, visible } from "../components/page_state.js";

const SHOWN = 5;
const CONTEXT = 12; // characters before the one listed

export class SurprisingList {
  /** goTo(position) moves the cursor. */
  constructor(details, live, goTo) {
    this.list = details.querySelector("ol");
    this.shown = ""; // what the list contains, to keep it and its focus while it is the same
    Object.assign(this, { details, live, goTo });
    details.addEventListener("toggle", () => this.update());
  }

  /** List the characters of the text that is on the page, if the list is open. */
  update() {
    const { record, drawn } = this.live();
    if (!this.details.open || !record) return;
    const positions = Array.from({ length: drawn }, (_, i) => i);
    const bits = positions.map((i) => record.surprisal(i));
    const top = positions.sort((a, b) => bits[b] - bits[a] || a - b).slice(0, SHOWN);
    const rows = top.map((i) => ({ i, character: record.characters[i], bits: bits[i].toFixed(2), before: record.characters.slice(Math.max(0, i - CONTEXT), i) }));
    const shown = JSON.stringify(rows);
    if (shown === this.shown) return;
    this.shown = shown;
    this.list.replaceChildren(...rows.map((row) => create("li", {}, this.button(row))));
  }

  button({ i, character, bits, before }) {
    const context = i ? `after “${i > CONTEXT ? "…" : ""}${before.map(visible).join("")}”` : "at the start";
    const label = `${quoted(character)}: ${bits} bits, ${context.replaceAll("␣", " ")}`;
    return create("button", { type: "button", dir: "auto", ariaLabel: spoken(label), onclick: () => this.goTo(i) }, label);
  }
}
