// The clamps as a form, one row each: activation, unit, value.

import { create } from "../components/create_element.js";
import { field } from "../components/model_pair.js";

const MAX_CLAMPS = 8; // as in server/clamp_requests.py
const USUAL_LABELS = ["low", "average", "high"];
const rounded = (value) => Number(value.toPrecision(3));

/** Set up the rows in this box; changed(clamps) is called when the user changes one. Returns {show, add}. */
export function createClampRows(box, changed) {
  let clamps = [];
  let names = [];
  let units = 1;
  let shown = ""; // options of the rows; the rows and the focus stay while these do

  const values = () => clamps.map(({ name, unit, value }) => ({ name, unit, value }));
  const optionsOf = () => JSON.stringify([names, units, clamps.map(({ name, unit, usual }) => [name, unit, usual])]);

  /** Check if a unit is clamped, except by the i-th clamp. */
  const isTaken = ({ name, unit }, i) => clamps.some((other, k) => k !== i && other.name === name && other.unit === unit);

  /** Return the next clamp to add: every unit of another activation, or another unit of the same, as the last clamp is. */
  function nextFree() {
    const { name, unit } = clamps.at(-1);
    const at = names.findIndex((other) => other.name === name);
    const candidates =
      unit === null
        ? names.map((_, k) => ({ name: names[(at + k) % names.length].name, unit }))
        : Array.from({ length: units }, (_, k) => ({ name, unit: (unit + k) % units }));
    return candidates.find((candidate) => !isTaken(candidate));
  }

  function row(clamp, i) {
    const { span, limits } = names.find(({ name }) => name === clamp.name);
    const legend = create("legend", "cr-sr", `What is frozen, ${i + 1}`);
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

    const status = create("p", { className: "cr-clamp-status", role: "status" });
    /** Restore the inputs of the clamp, and show the reason. */
    const refuse = (reason) => {
      const { name, unit: index, value: applied } = clamps[i];
      Object.assign(every, { checked: index === null });
      [what.value, unit.value, slider.value, value.value] = [name, index ?? "", applied, applied];
      status.textContent = reason;
    };
    /** Change the clamp; value null is for the server to choose. */
    const change = (changes) => {
      const next = { ...clamps[i], ...changes };
      if (isTaken(next, i)) return refuse(`${next.name} of ${next.unit === null ? "every unit" : "unit " + next.unit} is frozen in another row.`);
      status.textContent = "";
      clamps[i] = next;
      return changed(values());
    };
    /** Act on a number within the limits of its input. */
    const onNumber = (input, act) => {
      input.addEventListener("change", () => {
        if (input.value !== "" && input.checkValidity()) return act(input.valueAsNumber);
        return refuse(`Give ${input.step === "1" ? "a whole number" : "a number"} from ${input.min} to ${input.max}.`.replaceAll("-", "−"));
      });
    };

    what.addEventListener("change", () => change({ name: what.value, value: null }));
    onNumber(unit, (index) => change({ unit: index, value: null }));
    every.addEventListener("change", () => change({ unit: every.checked ? null : 0, value: null }));
    const setValue = (number) => {
      for (const input of [slider, value]) if (input !== document.activeElement) input.value = number;
      change({ value: number });
    };
    slider.addEventListener("input", () => setValue(rounded(slider.valueAsNumber)));
    onNumber(value, setValue);

    const buttons = clamp.usual.map((usual, k) => {
      return create("button", { type: "button", onclick: () => setValue(usual) }, `${USUAL_LABELS[k]} (${String(usual).replace("-", "−")})`);
    });
    const remove = () => {
      clamps.splice(i, 1);
      changed(values());
    };
    const removeButton = create("button", { type: "button", className: "cr-button cr-release", hidden: clamps.length < 2, onclick: remove }, "Release");
    const fields = [field("what", what), field("unit", unit), field("every unit", every, "cr-tick"), field("fixed at", value)];
    return create("fieldset", "cr-clamp", legend, ...fields, slider, create("span", "cr-usual", ...buttons), removeButton, status);
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
    /** Add a clamp of units that are not clamped yet. */
    add() {
      const free = clamps.length && clamps.length < MAX_CLAMPS && nextFree();
      if (!free) return;
      clamps.push({ ...clamps.at(-1), ...free, value: null });
      changed(values());
    },
  };
}

/** Show the applied value, except in the input that the user is changing. */
function fill(row, value) {
  for (const input of row.querySelectorAll(".cr-slide, .cr-value")) if (input !== document.activeElement) input.value = value;
}
