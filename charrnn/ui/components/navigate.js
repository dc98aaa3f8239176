// Navigation within the page: to a tab, model, selection, comparison, unit, part or setting.

import { offeredModel } from "./offered_models.js";
import { selectUnit } from "./unit_selection.js";
import { page } from "./page_state.js";

/** Open the tab of this title and return its button, if there is one. */
export function openTab(title) {
  const tab = [...document.querySelectorAll("[role=tab]")].find((button) => button.textContent.trim() === title);
  tab?.click();
  return tab;
}

/** Navigate. Targets that do not exist are ignored. */
export function navigate({ tab, model, tick, compare, unit, part }) {
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
  if (compare) {
    page.comparison = Object.fromEntries(Object.entries(compare).map(linkedValue).filter(([, value]) => value !== null));
    page.emit("comparison-linked");
  }
  if (unit) selectUnit(...unit);
  const setting = part && document.querySelector("#cr-settings " + part);
  if (setting) {
    requestAnimationFrame(() => page.emit("setting-requested", setting)); // when its tab is open
    return;
  }
  const scrollToTarget = () => {
    const target = document.querySelector(part || "header") || document.body;
    if (part) openFolds(target);
    target.scrollIntoView({ block: "start" });
  };
  requestAnimationFrame(scrollToTarget);
  if (part) followTarget(scrollToTarget);
}

/** Return a value of a comparison as links have it: a network with its last step, null if it is not on offer. */
function linkedValue([name, value]) {
  if (!["a", "b"].includes(name)) return [name, value];
  const model = offeredModel({ name: value });
  return [name, model ? [value, model.steps.at(-1)] : null];
}

/** Open the folds around an element, and the one that contains the whole of it. */
function openFolds(element) {
  const whole = element.querySelector("details:has(> summary h2)");
  for (let fold = whole || element.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
}

let stopFollowing = () => {};

/** Scroll to the target again whenever content above it loads, until the user scrolls. */
function followTarget(scrollToTarget) {
  stopFollowing();
  const observer = new ResizeObserver(scrollToTarget);
  const controller = new AbortController();
  stopFollowing = () => {
    observer.disconnect();
    controller.abort();
  };
  observer.observe(document.querySelector(".cr-main") || document.body);
  const options = { signal: controller.signal, passive: true };
  for (const event of ["wheel", "pointerdown", "keydown", "touchmove"]) addEventListener(event, stopFollowing, options);
}
