// Ways to other places of the page: a tab, a model for the picker, models to tick, a unit, a part to scroll to.

import { look } from "./unit_selection.js";
import { page } from "./page_state.js";

const PATIENCE = 15_000; // milliseconds that a page may grow while a visitor waits at a place of it

/** Go there; what is not on offer is left as it is. */
export function go({ tab, model, tick, unit, part }) {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const wanted = tabs.find((each) => each.textContent.trim() === tab);
  const picker = document.querySelector("#cr-model");
  if (model && [...picker.options].some((option) => option.value === model) && picker.value !== model) {
    picker.value = model;
    picker.dispatchEvent(new Event("change", { bubbles: true }));
  }
  wanted?.click();
  wanted?.focus();
  if (tick) {
    page.ticked = tick;
    page.emit("ticked");
  }
  if (unit) look(...unit);
  const place = () => document.querySelector(part || "header") || document.body;
  const arrive = () => {
    const folded = part && place().querySelector("details:has(> summary h2)"); // the whole of the part
    if (folded) folded.open = true;
    place().scrollIntoView({ block: "start" });
  };
  requestAnimationFrame(arrive);
  if (part) stay(arrive);
}

/** A place, or what stands above it, may still be on its way: follow it, until the visitor scrolls. */
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
