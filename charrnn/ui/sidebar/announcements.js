// Announces to screen readers what happens to the text, and a tab that was opened by other means than its button.

import { counted } from "../components/number_format.js";
import { session } from "../session/page_session.js";
import { onOpenTab } from "./open_tab.js";

const JOIN_MS = 150; // changes within this time are one announcement

const STATES = {
  writing: () => "Writing.",
  paused: () => `Paused at ${counted(session.length)}.`,
  finished: () => `Finished: ${counted(session.length)}.`,
  empty: () => "The text is cleared.",
};

/** Announce changes in an element with the role status. */
export function announceChanges(status) {
  let state = null; // before the first text
  let model = null;
  let waiting = [];
  let timer = null;

  function announce(text) {
    waiting.push(text);
    clearTimeout(timer);
    timer = setTimeout(() => {
      status.textContent = waiting.join(" ");
      waiting = [];
    }, JOIN_MS);
  }

  session.onMessage((message) => {
    if (message.kind === "start") {
      const shown = `${message.model.title}, step ${message.model.step.toLocaleString("en")}.`;
      if (model && shown !== model) announce(shown);
      model = shown;
      if (message.divergedAt !== undefined) announce("Another version of the text is back.");
    }
    if (message.kind === "branch" && message.undo !== undefined) announce(`Branched at character ${message.from + 1}.`);
    if (state && state !== message.state) announce(STATES[message.state]());
    if (model) state = message.state;
  });

  let isFirst = true;
  onOpenTab((tab) => {
    if (!isFirst && tab !== document.activeElement) announce(`Tab ${tab.textContent.trim()}.`);
    isFirst = false;
  });
}
