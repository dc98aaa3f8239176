// The keyboard: space writes and pauses, the arrows move the cursor and the unit, Enter colours, Escape lets go.

import { page } from "../page.js";

// What an element makes of a key itself stays its own.
const TAKES_EVERY_KEY = "input:not([type=range]), textarea, select, [contenteditable]";
const TAKES_ARROWS = "[type=range], [role=tab]";
const TAKES_SPACE_AND_ENTER = "button, summary, a";

/** Listen for keys while the tab Write is shown. */
export function listenToKeys(actions, closeDrawer) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") closeDrawer();
    if (!page.live?.shown || event.target.closest(TAKES_EVERY_KEY)) return;
    const arrow = event.key.startsWith("Arrow");
    if (event.target.closest(arrow ? TAKES_ARROWS : TAKES_SPACE_AND_ENTER) && event.key !== "Escape") return;
    const onMap = event.target.closest(".cr-map");
    if (event.key === " ") {
      event.preventDefault();
      if (!event.repeat) actions.write(); // a key held down is one press
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      const move = { by: event.key === "ArrowLeft" ? -1 : 1, atEnd: false };
      page.emit("move", move);
      if (move.atEnd) actions.step();
    } else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && onMap) {
      event.preventDefault();
      page.emit("unit", event.key === "ArrowUp" ? -1 : 1);
    } else if (event.key === "Enter" && onMap) {
      page.emit("colour");
    } else if (event.key === "Escape") {
      page.emit("release");
    }
  });
}
