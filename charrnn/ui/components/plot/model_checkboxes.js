// Checkboxes that select models, each with a line swatch. All views of the page share the selection.

import { create } from "../create_element.js";
import { page } from "../page_state.js";

let added = null; // name of the model that was selected because the sidebar shows it

page.on("checkpoint-changed", () => {
  const current = page.checkpoint?.name;
  if (!page.selectedModels || !current) return;
  if (added && added !== current) page.selectedModels = page.selectedModels.filter((name) => name !== added);
  if (added !== current) added = null;
  if (page.selectedModels.includes(current)) return;
  page.selectedModels = [...page.selectedModels, current];
  added = current;
});

/** Create the swatch of a model's line. */
export function swatch({ color, dash }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "cr-swatch");
  svg.setAttribute("viewBox", "0 0 24 4");
  svg.setAttribute("aria-hidden", "true");
  svg.style.stroke = color;
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", "M0 2H24");
  if (dash !== "solid") line.setAttribute("stroke-dasharray", dash.replaceAll("px", "").replaceAll(",", " "));
  svg.append(line);
  return svg;
}

/**
 * Bind the selection to a fieldset. `changed` is called when the user or another view changes it.
 *
 * Returns a function that updates the checkboxes from an answer.
 */
export function createModelCheckboxes(fieldset, changed) {
  let shown = "";

  fieldset.addEventListener("change", () => {
    added = null;
    page.selectedModels = [...fieldset.querySelectorAll("input:checked")].map((input) => input.value);
    page.emit("selection-changed");
  });
  page.on("selection-changed", changed);

  return ({ models, selected: initial }) => {
    const key = JSON.stringify(models);
    if (key !== shown) {
      shown = key;
      fieldset.querySelectorAll("label").forEach((label) => label.remove());
      for (const model of models) {
        fieldset.append(create("label", {}, create("input", { type: "checkbox", value: model.name }), swatch(model), model.title));
      }
      fieldset.hidden = false;
    }
    const selected = page.selectedModels || initial;
    for (const input of fieldset.querySelectorAll("input")) {
      input.checked = selected.includes(input.value);
      input.parentElement.classList.toggle("cr-picked", input.value === page.checkpoint?.name);
    }
  };
}
