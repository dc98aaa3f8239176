// The clamps as a form, one row each: activation, unit, value.

import { create } from "../components/create_element.js";
import { field } from "../components/model_pair.js";

const MAX_CLAMPS = 8; // as in server/clamp_requests.py
const USUAL_LABELS = ["its 5 %", "its mean", "its 95 %"];
const rounded = (value) => Number(value.toPrecision(3));

/** Set up the rows in this box; changed(clamps) is called when the user changes one. Returns {show, add}. */
export function createClampRows(box, changed) {
  let clamps = [];
  let names = [];
  let units = 1;
  let shown = ""; // options of the rows; the rows and the focus stay while these do

  const values = () => clamps.map(({ name, unit, value }) => ({ name, unit, value }));
  const optionsOf = () => JSON.stringify([names, units, clamps.map(({ name, unit, usual }) => [name, unit, usual])]);

  /** Change a clamp; value null is for the server to choose. */
  function change(i, changes) {
    clamps[i] = { ...clamps[i], ...changes };
    changed(values());
  }

  function row(clamp, i) {
    const { span, limits } = names.find(({ name }) => name === clamp.name);
    const legend = create("legend", "cr-sr", `What is held, ${i + 1}`);
    const what = create("select", {}, ...names.map(({ name }) => new Option(name, name)));
    what.value = clamp.name;
    const unit = create("input", { type: "number", min: 0, max: units - 1, step: 1, className: "cr-unit" });
    unit.value = clamp.unit ?? "";
    unit.disabled = clamp.unit === null;
    const every = create("input", { type: "checkbox", checked: clamp.unit === null });
    const step = (span[1] - span[0]) / 200;
    const slider = create("input", { type: "range", min: span[0], max: span[1], step, className: "cr-slide", ariaLabel: "value, as a slider" });
    const value = create("input", { type: "number", min: limits[0], max: limits[1], step: "any", required: true, className: "cr-value" });
    slider.value = value.value = clamp.value;

    what.addEventListener("change", () => change(i, { name: what.value, value: null }));
    unit.addEventListener("change", () => unit.reportValidity() && unit.value !== "" && change(i, { unit: unit.valueAsNumber, value: null }));
    every.addEventListener("change", () => change(i, { unit: every.checked ? null : 0, value: null }));
    const setValue = (number) => {
      for (const input of [slider, value]) if (input !== document.activeElement) input.value = number;
      change(i, { value: number });
    };
    slider.addEventListener("input", () => setValue(rounded(slider.valueAsNumber)));
    value.addEventListener("change", () => value.reportValidity() && setValue(value.valueAsNumber));

    const buttons = clamp.usual.map((usual, k) => {
      return create("button", { type: "button", onclick: () => setValue(usual) }, `${USUAL_LABELS[k]} ${String(usual).replace("-", "−")}`);
    });
    const remove = () => {
      clamps.splice(i, 1);
      changed(values());
    };
    const removeButton = create("button", { type: "button", className: "cr-button cr-let-go", hidden: clamps.length < 2, onclick: remove }, "Let go");
    const fields = [field("what", what), field("unit", unit), field("every unit", every, "cr-tick"), field("held at", value)];
    return create("fieldset", "cr-clamp", legend, ...fields, slider, create("span", "cr-usual", ...buttons), removeButton);
  }

  return {
    /** Show the clamps of an answer. */
    show(answer) {
      ({ names, units, clamps } = answer);
      if (optionsOf() !== shown) {
        const focused = [...box.querySelectorAll("select, input")].indexOf(document.activeElement);
        box.replaceChildren(...clamps.map(row));
        if (focused >= 0) box.querySelectorAll("select, input")[focused]?.focus();
        shown = optionsOf();
      } else clamps.forEach(({ value }, i) => fill(box.children[i], value));
      box.nextElementSibling.disabled = clamps.length >= MAX_CLAMPS;
    },
    /** Add a clamp of the next unit. */
    add() {
      const last = clamps.at(-1);
      if (!last || clamps.length >= MAX_CLAMPS) return;
      clamps.push({ ...last, unit: last.unit === null ? null : (last.unit + 1) % units, value: null });
      changed(values());
    },
  };
}

/** Show the applied value, except in the input that the user is changing. */
function fill(row, value) {
  for (const input of row.querySelectorAll(".cr-slide, .cr-value")) if (input !== document.activeElement) input.value = value;
}
