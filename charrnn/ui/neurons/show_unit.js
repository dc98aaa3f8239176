// Shows a unit in the part "One unit" of the tab Neurons.

import { selectUnit } from "../components/unit_selection.js";

/** Select a unit and scroll to it. */
export function showUnit(view, unit) {
  selectUnit(view, unit);
  document.querySelector("#cr-unit").scrollIntoView({ block: "nearest" });
}
