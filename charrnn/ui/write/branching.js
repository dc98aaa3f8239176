// Branching: choosing another character at a position regenerates the rest of the text; undo and redo restore the whole text.

import { quoted, visible } from "../components/page_state.js";
import { configure, session } from "../session/page_session.js";
import { Alternatives } from "./alternatives_popover.js";
import { describeGiven } from "./cursor_labels.js";

const REPLACED_CHARS = 48; // shown of the text that a choice replaces
const HAS_OWN_UNDO = "input:not([type=range], [type=checkbox]), textarea, select, [contenteditable]";

/**
 * Connect the candidate rows, the characters of the text, the undo buttons and their keys.
 *
 * live() -> { record, drawn, cursor, shown }; `say` shows a note; text: the TextView.
 * Returns {showChange, alternatives}: showChange(message) enables the buttons by the undo and redo counts of a message, and hides
 * the replaced text when the text no longer has the last choice.
 */
export function attachBranching({ element, text, live, say }) {
  const replaced = element.querySelector(".cr-replaced");
  let chosen = null; // {offset, character, isWritten}: the last choice; isWritten: the text has had it
  const button = (name) => element.querySelector(`[data-do="${name}"]`);

  function choose(position, character) {
    const { record, drawn } = live();
    if (position < record.prompt) return say(describeGiven(record));
    if (position < drawn && record.characters[position] === character) return say(`It already says ${quoted(character)} there.`);
    configure();
    chosen = { offset: position - record.prompt, character };
    const before = record.characters.slice(position, Math.min(drawn, position + REPLACED_CHARS));
    replaced.querySelector("span").textContent = before.map((each) => (each === " " ? each : visible(each))).join("");
    replaced.hidden = !before.length;
    return session.branch(position, character);
  }

  element.querySelector(".cr-likely").addEventListener("click", (event) => {
    const { record, cursor } = live();
    const row = event.target.closest("tr");
    if (record && row?.dataset.id !== undefined) choose(cursor + 1, record.vocabulary[Number(row.dataset.id)]);
  });

  const alternatives = new Alternatives(element.querySelector(".cr-alternatives"), text, choose);
  text.box.addEventListener("click", (event) => {
    const position = text.positionOf(event);
    if (position !== null) alternatives.open(live().record, position);
  });
  text.box.addEventListener("keydown", (event) => {
    const { record, cursor } = live();
    if (event.key !== "Enter" || !record || cursor < 0) return;
    event.preventDefault();
    alternatives.open(record, cursor);
  });

  for (const name of ["undo", "redo"]) button(name).addEventListener("click", () => session[name]());
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || !live().shown || event.target.closest(HAS_OWN_UNDO)) return;
    const key = event.key.toLowerCase();
    const name = key === "y" && !event.shiftKey ? "redo" : key === "z" ? (event.shiftKey ? "redo" : "undo") : null;
    if (!name) return;
    event.preventDefault();
    button(name).click(); // does nothing while it is disabled
  });

  function showChange({ kind, edits = [], undo, redo }) {
    const isChosen = edits.some(([offset, character]) => offset === chosen?.offset && character === chosen.character);
    if (isChosen) chosen.isWritten = true;
    if (kind === "start" || (kind === "branch" && chosen?.isWritten && !isChosen)) replaced.hidden = true;
    if (undo === undefined) return;
    button("undo").disabled = !undo;
    button("redo").disabled = !redo;
  }
  return { showChange, alternatives };
}
