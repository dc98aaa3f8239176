// Keyboard shortcuts; sidebar.html lists them.

import { page } from "../components/page_state.js";
import { visibleTabs } from "./open_tab.js";

// Elements that handle keys themselves.
const TAKES_EVERY_KEY = "input:not([type=range]), textarea, select, [contenteditable]";
const TAKES_ARROWS = "[type=range], [role=tab]";
const TAKES_SPACE_AND_ENTER = "button, summary, a";

const ON_EVERY_TAB = {
  "?": () => page.emit("show-shortcuts"),
  r: () => page.emit("scene-revealed"),
  PageDown: () => page.emit("scene-moved", 1),
  PageUp: () => page.emit("scene-moved", -1),
};
const IN_LECTURES = ["r", "PageDown", "PageUp"]; // those of ON_EVERY_TAB that act only there
const TABS = "123456";
const STORED = "charrnn-single-keys"; // in the local storage

/** Act on a shortcut of every tab; returns true if the key is one. */
function actOnEveryTab(event) {
  const hasOpened = TABS.includes(event.key) && openTab(Number(event.key));
  const isDisabled = IN_LECTURES.includes(event.key) && !document.body.classList.contains("cr-lecture");
  const act = isDisabled ? null : ON_EVERY_TAB[event.key];
  if (!hasOpened && !act) return false;
  event.preventDefault();
  act?.();
  return true;
}

/** Open the n-th visible tab, from 1; returns true if there is one. */
function openTab(n) {
  const tab = visibleTabs()[n - 1];
  tab?.click();
  return !!tab;
}

/** Restore the state of a checkbox from the local storage, and save its changes there. */
function remember(checkbox) {
  try {
    checkbox.checked = localStorage.getItem(STORED) !== "off";
  } catch {
    return; // without storage, it counts for this visit
  }
  checkbox.addEventListener("change", () => localStorage.setItem(STORED, checkbox.checked ? "on" : "off"));
}

/** Listen for keys; those of the text act only while the tab Write is shown. isEnabled: a checkbox for those with one character. */
export function bindShortcuts(actions, closeDrawer, isEnabled) {
  remember(isEnabled);
  document.addEventListener("keydown", (event) => {
    if (event.key.length === 1 && !isEnabled.checked) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") closeDrawer();
    const isOfClicker = event.key.startsWith("Page"); // acts from every control of a lecture
    if (event.target.closest(TAKES_EVERY_KEY) && !isOfClicker) return;
    if (actOnEveryTab(event) || isOfClicker) return;
    if (!page.live?.shown) return;
    const isArrow = event.key.startsWith("Arrow");
    if (event.target.closest(isArrow ? TAKES_ARROWS : TAKES_SPACE_AND_ENTER) && event.key !== "Escape") return;
    const onMap = event.target.closest(".cr-map");
    if (event.key === " ") {
      event.preventDefault();
      if (!event.repeat) actions.write();
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault();
      const { record, cursor, drawn } = page.live;
      if (event.key === "ArrowLeft") page.emit("cursor-moved", -1);
      else if (cursor + 1 < drawn) page.emit("cursor-moved", 1);
      else if (record && page.state !== "writing") actions.step(); // at the end of the text
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
