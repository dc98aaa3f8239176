// Keyboard shortcuts; sidebar.html lists them.

import { page } from "../components/page_state.js";

// Keys that an element handles itself are left to it.
const TAKES_EVERY_KEY = "input:not([type=range]), textarea, select, [contenteditable]";
const TAKES_ARROWS = "[type=range], [role=tab]";
const TAKES_SPACE_AND_ENTER = "button, summary, a";

// Shortcuts of every tab.
const EVERYWHERE = {
  "?": () => page.emit("show-shortcuts"),
  r: () => page.emit("scene-revealed"),
  PageDown: () => page.emit("scene-moved", 1),
  PageUp: () => page.emit("scene-moved", -1),
};
const OF_A_LECTURE = ["r", "PageDown", "PageUp"];
const TABS = "12345";

/** Act on a shortcut of every tab; returns true if the key is one. */
function everywhere(event) {
  const tab = TABS.includes(event.key) ? openTab(Number(event.key)) : false;
  const act = OF_A_LECTURE.includes(event.key) && !document.body.classList.contains("cr-lecture") ? null : EVERYWHERE[event.key];
  if (!tab && !act) return false;
  event.preventDefault();
  act?.();
  return true;
}

/** Open the n-th visible tab, from 1; returns true if there is one. */
function openTab(n) {
  const tab = [...document.querySelectorAll("[role=tab]")].filter((each) => each.offsetParent)[n - 1];
  tab?.click();
  return !!tab;
}

/** Listen for keys; keys of the text only while the tab Write is shown. */
export function bindShortcuts(actions, closeDrawer) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") closeDrawer();
    if (event.target.closest(TAKES_EVERY_KEY)) return;
    if (!(event.target.closest("[type=range]") && event.key.startsWith("Page")) && everywhere(event)) return;
    if (!page.live?.shown) return;
    const arrow = event.key.startsWith("Arrow");
    if (event.target.closest(arrow ? TAKES_ARROWS : TAKES_SPACE_AND_ENTER) && event.key !== "Escape") return;
    const onMap = event.target.closest(".cr-map");
    if (event.key === " ") {
      event.preventDefault();
      if (!event.repeat) actions.write(); // ignore key repeat
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      const move = { by: event.key === "ArrowLeft" ? -1 : 1, atEnd: false };
      page.emit("cursor-moved", move);
      if (move.atEnd) actions.step();
    } else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && onMap) {
      event.preventDefault();
      page.emit("unit-moved", event.key === "ArrowUp" ? -1 : 1);
    } else if (event.key === "Enter" && onMap) {
      page.emit("color-cursor-row");
    } else if (event.key === "Escape") {
      page.emit("cursor-reset");
    }
  });
}
