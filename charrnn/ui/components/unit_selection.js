// The selected unit of the tab Neurons, shared by its parts and the clamps.

import { page } from "./page_state.js";

page.selectedUnit ??= null; // {view, unit}
page.unitText ??= ""; // custom text; empty for the default

/** Select a unit. `sender` is passed on, so that it can ignore its own event. */
export function selectUnit(view, unit, who = null) {
  if (page.selectedUnit?.view === view && page.selectedUnit.unit === unit) return;
  page.selectedUnit = { view, unit };
  page.emit("unit-selected", who);
}

/** Set the options of a select to these activations, one of them chosen. */
export function offerViews(select, views, chosen) {
  if ([...select.options].map((option) => option.value).join() !== views.map(({ name }) => name).join()) {
    select.replaceChildren(...views.map(({ name, title }) => new Option(title, name)));
  }
  select.value = chosen;
}
