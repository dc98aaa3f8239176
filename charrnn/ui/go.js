// Ways to other places of the page: a tab, a model for the picker, models to tick, a unit, a part to scroll to.

import { look } from "./neurons_view/unit_choice.js";
import { page } from "./page.js";

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
  requestAnimationFrame(() => (document.querySelector(part || "header") || document.body).scrollIntoView({ block: "start" }));
}
