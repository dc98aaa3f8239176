// Navigation within the page: to a tab, model, selection, unit or part.

import { selectUnit } from "./unit_selection.js";
import { page } from "./page_state.js";

const PATIENCE = 15_000; // milliseconds in which the page may still grow above the target

/** Open the tab of this title and return its button, if there is one. */
export function openTab(title) {
  const tab = [...document.querySelectorAll("[role=tab]")].find((each) => each.textContent.trim() === title);
  tab?.click();
  return tab;
}

/** Navigate. Targets that do not exist are ignored. */
export function navigate({ tab, model, tick, unit, part }) {
  const picker = document.querySelector("#cr-model");
  if (model && [...picker.options].some((option) => option.value === model) && picker.value !== model) {
    picker.value = model;
    picker.dispatchEvent(new Event("change", { bubbles: true }));
  }
  openTab(tab)?.focus();
  if (tick) {
    page.selectedModels = tick;
    page.emit("selection-changed");
  }
  if (unit) selectUnit(...unit);
  const place = () => document.querySelector(part || "header") || document.body;
  const arrive = () => {
    const folded = part && place().querySelector("details:has(> summary h2)"); // contains the whole part
    if (folded) folded.open = true;
    place().scrollIntoView({ block: "start" });
  };
  requestAnimationFrame(arrive);
  if (part) stay(arrive);
}

/** Keep the target in place while content above it loads, until the user scrolls. */
let leave = () => {};
function stay(arrive) {
  leave();
  const grown = new ResizeObserver(arrive);
  const own = new AbortController();
  leave = () => {
    grown.disconnect();
    own.abort();
  };
  grown.observe(document.querySelector(".cr-main") || document.body);
  for (const event of ["wheel", "pointerdown", "keydown", "touchmove"]) addEventListener(event, leave, { signal: own.signal, passive: true });
  setTimeout(leave, PATIENCE);
}
