// Branching: choosing another character at the cursor regenerates the rest of the text; undo and redo restore the whole text.

import { quoted } from "../components/page_state.js";
import { configure, session } from "../session/page_session.js";

const HAS_OWN_UNDO = "input:not([type=range], [type=checkbox]), textarea, select, [contenteditable]";

/**
 * Connect the candidate rows, the undo buttons and their keys. live() -> { record, drawn, cursor, shown }; `say` shows a note.
 *
 * Returns a function that enables the buttons by the undo and redo counts of a message.
 */
export function attachBranching({ element, live, say }) {
  const button = (name) => element.querySelector(`[data-do="${name}"]`);

  function choose(id) {
    const { record, cursor, drawn } = live();
    if (!record) return undefined;
    const position = cursor + 1;
    const character = record.vocabulary[id];
    if (position < record.prompt) {
      return say("Character " + (position + 1) + " was given, not written: put the cursor behind the prompt to choose.");
    }
    if (position < drawn && record.characters[position] === character) return say(quoted(character) + " stands there already.");
    configure();
    return session.branch(position, character);
  }

  element.querySelector(".cr-likely").addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    if (row?.dataset.id !== undefined) choose(Number(row.dataset.id));
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

  return ({ undo, redo }) => {
    if (undo === undefined) return;
    button("undo").disabled = !undo;
    button("redo").disabled = !redo;
  };
}
