// The clamps as a form: what is held, of which unit, at which value; one row for each.

const MAX_CLAMPS = 8; // as clamps.py has it
const USUAL = ["its 5 %", "its mean", "its 95 %"];
const rounded = (value) => Number(value.toPrecision(3));

function field(text, input, className = "") {
  const label = document.createElement("label");
  label.className = "cr-field " + className;
  label.append(text + " ", input);
  return label;
}

function made(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}

/** `changed` is called with the clamps when the visitor changes one. Returns {show, add}. */
export function createClampRows(box, changed) {
  let clamps = [];
  let names = [];
  let units = 1;
  let drawn = ""; // what the rows offer; while that stays, they stay, and with them the focus

  const told = () => clamps.map(({ name, unit, value }) => ({ name, unit, value }));
  const offered = () => JSON.stringify([names, units, clamps.map(({ name, unit, usual }) => [name, unit, usual])]);

  /** Another unit, or another name: the server says what that usually is, and its mean as the value. */
  function change(i, now) {
    clamps[i] = { ...clamps[i], ...now };
    changed(told());
  }

  function row(clamp, i) {
    const { span, limits } = names.find(({ name }) => name === clamp.name);
    const group = made("fieldset", { className: "cr-clamp" });
    const legend = made("legend", { className: "cr-sr", textContent: `What is held, ${i + 1}` });
    const what = made("select", { className: "cr-what" });
    what.replaceChildren(...names.map(({ name }) => new Option(name, name)));
    what.value = clamp.name;
    const unit = made("input", { type: "number", min: 0, max: units - 1, step: 1, className: "cr-unit" });
    unit.value = clamp.unit ?? "";
    unit.disabled = clamp.unit === null;
    const every = made("input", { type: "checkbox", checked: clamp.unit === null, className: "cr-every" });
    const step = (span[1] - span[0]) / 200;
    const slider = made("input", { type: "range", min: span[0], max: span[1], step, className: "cr-slide", ariaLabel: "value, as a slider" });
    const value = made("input", { type: "number", min: limits[0], max: limits[1], step: "any", required: true, className: "cr-value" });
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

    const usual = made("span", { className: "cr-usual" });
    clamp.usual.forEach((at, k) => {
      const button = made("button", { type: "button", textContent: `${USUAL[k]} ${String(at).replace("-", "−")}` });
      button.addEventListener("click", () => {
        slider.value = at;
        hold(at, value);
      });
      usual.append(button);
    });
    const gone = made("button", { type: "button", className: "cr-button cr-let-go", textContent: "Let go" });
    gone.hidden = clamps.length < 2;
    gone.addEventListener("click", () => {
      clamps.splice(i, 1);
      changed(told());
    });
    group.append(legend, field("what", what), field("unit", unit), field("every unit", every, "cr-tick"));
    group.append(field("held at", value), slider, usual, gone);
    return group;
  }

  return {
    /** Applies an answer's description of its clamps. */
    show(answer) {
      ({ names, units, clamps } = answer);
      if (offered() !== drawn) {
        const at = [...box.querySelectorAll("select, input")].indexOf(document.activeElement);
        box.replaceChildren(...clamps.map(row));
        if (at >= 0) box.querySelectorAll("select, input")[at]?.focus();
        drawn = offered();
      } else clamps.forEach(({ value }, i) => fill(box.children[i], value));
      box.nextElementSibling.disabled = clamps.length >= MAX_CLAMPS;
    },
    add() {
      const last = clamps.at(-1);
      if (!last || clamps.length >= MAX_CLAMPS) return;
      clamps.push({ ...last, unit: last.unit === null ? null : (last.unit + 1) % units, value: null });
      changed(told());
    },
  };
}

/** The value that counts, where the visitor is not moving it. */
function fill(row, value) {
  for (const input of row.querySelectorAll(".cr-slide, .cr-value")) if (input !== document.activeElement) input.value = value;
}
