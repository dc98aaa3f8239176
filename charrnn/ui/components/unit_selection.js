// Which unit the tab Neurons looks at: its parts share it, and so does what holds it at a value.

import { page } from "./page_state.js";

page.neuron ??= null; // {view, unit}
page.neuronText ??= ""; // the visitor's own text; empty for the default one

/** Look at this unit from now on; `who` says so and need not be told. */
export function look(view, unit, who = null) {
  if (page.neuron?.view === view && page.neuron.unit === unit) return;
  page.neuron = { view, unit };
  page.emit("neuron", who);
}

/** Let a select offer these kinds of unit, one of them chosen. */
export function offerViews(select, views, chosen) {
  if ([...select.options].map((option) => option.value).join() !== views.map(({ name }) => name).join()) {
    select.replaceChildren(...views.map(({ name, title }) => new Option(title, name)));
  }
  select.value = chosen;
}
