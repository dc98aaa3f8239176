// The clamps as a form, one row each: activation, unit, value.

import { create } from "../components/create_element.js";
import { field } from "../components/model_pair.js";

const MAX_CLAMPS = 8; // as clamps.py has it
const USUAL = ["its 5 %", "its mean", "its 95 %"];
const rounded = (value) => Number(value.toPrecision(3));

/** `changed` is called with the clamps when the user changes one. Returns {show, add}. */
export function createClampRows(box, changed) {
  let clamps = [];
  let names = [];
  let units = 1;
  let shown = ""; // options of the rows; while they stay the same, the rows and the focus do

  const values = () => clamps.map(({ name, unit, value }) => ({ name, unit, value }));
  const optionsOf = () => JSON.stringify([names, units, clamps.map(({ name, unit, usual }) => [name, unit, usual])]);

  /** Change a clamp. For another unit or name, the server sends the usual values, and the mean as value. */
  function change(i, now) {
    clamps[i] = { ...clamps[i], ...now };
    changed(values());
  }

  function row(clamp, i) {
    const { span, limits } = names.find(({ name }) => name === clamp.name);
    const legend = create("legend", "cr-sr", `What is held, ${i + 1}`);
    const what = create("select", "cr-what", ...names.map(({ name }) => new Option(name, name)));
    what.value = clamp.name;
    const unit = create("input", { type: "number", min: 0, max: units - 1, step: 1, className: "cr-unit" });
    unit.value = clamp.unit ?? "";
    unit.disabled = clamp.unit === null;
    const every = create("input", { type: "checkbox", checked: clamp.unit === null, className: "cr-every" });
    const step = (span[1] - span[0]) / 200;
    const slider = create("input", { type: "range", min: span[0], max: span[1], step, className: "cr-slide", ariaLabel: "value, as a slider" });
    const value = create("input", { type: "number", min: limits[0], max: limits[1], step: "any", required: true, className: "cr-value" });
    slider.value = value.value = clamp.value;

    what.addEventListener("change", () => change(i, { name: what.value, value: null }));
    unit.addEventListener("change", () => unit.reportValidity() && unit.value !== "" && change(i, { unit: unit.valueAsNumber, value: null }));
    every.addEventListener("change", () => change(i, { unit: every.checked ? null : 0, value: null }));
    const hold = (at, other) => {
      other.value = at;
      change(i, { value: at });
    };
    slider.addEventListener("input", () => hold(rounded(slider.valueAsNumber), value));
    value.addEventListener("change", () => value.reportValidity() && hold(value.valueAsNumber, slider));

    const buttons = clamp.usual.map((at, k) => {
      const onclick = () => {
        slider.value = at;
        hold(at, value);
      };
      return create("button", { type: "button", onclick }, `${USUAL[k]} ${String(at).replace("-", "−")}`);
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
        const at = [...box.querySelectorAll("select, input")].indexOf(document.activeElement);
        box.replaceChildren(...clamps.map(row));
        if (at >= 0) box.querySelectorAll("select, input")[at]?.focus();
        shown = optionsOf();
      } else clamps.forEach(({ value }, i) => fill(box.children[i], value));
      box.nextElementSibling.disabled = clamps.length >= MAX_CLAMPS;
    },
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
