// The selected unit of the tab Neurons, shared by its parts and the clamps.

import { page } from "./page_state.js";

/** Select a unit. `sender` is the payload of the event, so that a view can ignore its own. */
export function selectUnit(view, unit, sender = null) {
  if (page.selectedUnit?.view === view && page.selectedUnit.unit === unit) return;
  page.selectedUnit = { view, unit };
  page.emit("unit-selected", sender);
}
