// Which models a figure shows: a tick for each, with a piece of its line. All views of the page share the ticks.

import { page } from "../page_state.js";

page.ticked ??= null; // names; null while the server decides
let added = null; // the name that the picker added, not the visitor

page.on("measuring", () => {
  const picked = page.checkpoint?.name;
  if (!page.ticked || !picked) return;
  if (added && added !== picked) page.ticked = page.ticked.filter((name) => name !== added);
  if (added !== picked) added = null;
  if (page.ticked.includes(picked)) return;
  page.ticked = [...page.ticked, picked];
  added = picked;
});

/** A piece of a model's line, in its colour. */
export function swatch({ colour, dash }) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "cr-swatch");
  svg.setAttribute("viewBox", "0 0 24 4");
  svg.setAttribute("aria-hidden", "true");
  svg.style.stroke = colour;
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", "M0 2H24");
  if (dash !== "solid") line.setAttribute("stroke-dasharray", dash.replaceAll("px", "").replaceAll(",", " "));
  svg.append(line);
  return svg;
}

/** Keep the ticks in a fieldset; `changed` is called when the visitor or another view changes one. */
export function chipsIn(fieldset, changed) {
  let shown = "";

  fieldset.addEventListener("change", () => {
    added = null;
    page.ticked = [...fieldset.querySelectorAll("input:checked")].map((input) => input.value);
    page.emit("ticked", fieldset);
  });
  page.on("ticked", changed);

  /** Draw the models on offer anew where they changed, and tick those that are shown. */
  return ({ models, ticked }) => {
    const offered = JSON.stringify(models);
    if (offered !== shown) {
      shown = offered;
      fieldset.querySelectorAll("label").forEach((label) => label.remove());
      for (const model of models) {
        const label = document.createElement("label");
        const input = document.createElement("input");
        input.type = "checkbox";
        input.value = model.name;
        label.append(input, swatch(model), model.title);
        fieldset.append(label);
      }
      fieldset.hidden = false;
    }
    const now = page.ticked || ticked;
    for (const input of fieldset.querySelectorAll("input")) {
      input.checked = now.includes(input.value);
      input.parentElement.classList.toggle("cr-picked", input.value === page.checkpoint?.name);
    }
  };
}
