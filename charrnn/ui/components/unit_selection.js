// The selected unit of the tab Neurons, shared by its parts and the clamps.

import { page } from "./page_state.js";

let network = null; // name of the network that has the selected unit

// A unit's number means nothing in another network: its best unit is shown instead.
page.on("checkpoint-changed", () => {
  if (network !== page.checkpoint?.name) page.selectedUnit = null;
});

/** Select a unit. `sender` is the payload of the event, so that a view can ignore its own. */
export function selectUnit(view, unit, sender = null) {
  network = page.checkpoint?.name;
  if (page.selectedUnit?.view === view && page.selectedUnit.unit === unit) return;
  page.selectedUnit = { view, unit };
  page.emit("unit-selected", sender);
}
