// The exercises: hand something in, see what was measured, print it.

import { createViewQuery } from "../components/view_query.js";
import { page } from "../components/page_state.js";

const LABELS = { part: "what", unit: "unit", guess: "characters" };

function made(tag, properties = {}, ...content) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...content);
  return element;
}

/** Set up the part; returns what takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const list = $(".cr-tasks");
  const fold = $("details");
  let handedIn = null; // the form of the exercise that is checked right now

  const request = () => ({ form: { exercise: "", ...handedIn } });
  const view = createViewQuery({ element, send, request });

  function field(form, name) {
    const input = name === "part" ? made("select", { name }) : made("input", { name, type: "number", required: true });
    if (name === "unit") Object.assign(input, { min: 0, step: 1 });
    if (name === "guess") Object.assign(input, { min: 0.01, max: 1000, step: "any" });
    form.append(made("label", { className: "cr-field" }, LABELS[name] + " ", input));
  }

  function task(exercise) {
    const form = made("form", { className: "cr-task" });
    form.dataset.id = exercise.id;
    form.append(made("h3", { textContent: exercise.title }), made("p", { textContent: exercise.question }));
    const row = made("div", { className: "cr-hand-in" });
    exercise.fields.forEach((name) => field(row, name));
    if (exercise.from_clamps) row.append(made("p", { className: "cr-held-now" }));
    row.append(made("button", { type: "submit", className: "cr-button", textContent: exercise.button }));
    const how = made("details", { className: "cr-how" }, made("summary", { textContent: "What is checked" }), made("p", { textContent: exercise.how }));
    form.append(row, how, made("div", { className: "cr-found", role: "status" }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const said = new FormData(form);
      handedIn = { exercise: exercise.id, part: said.get("part") ?? "" };
      for (const name of ["unit", "guess"]) if (said.has(name)) handedIn[name] = Number(said.get(name));
      if (exercise.from_clamps) handedIn.clamps = page.held;
      view.ask();
    });
    return made("li", {}, form);
  }

  function offer(parts) {
    for (const select of list.querySelectorAll("select")) {
      const chosen = select.value;
      select.replaceChildren(...parts.map(({ name }) => new Option(name, name)));
      if (parts.some(({ name }) => name === chosen)) select.value = chosen;
      const unit = select.form.elements.unit;
      const limit = () => (unit.max = parts.find(({ name }) => name === select.value).units - 1);
      select.onchange = limit;
      limit();
    }
  }

  /** Returns the current clamps in the form of an exercise. */
  function showHeld() {
    const words = page.held.map(({ name, unit, value }) => `${name} of ${unit === null ? "every unit" : "unit " + unit} = ${String(value).replace("-", "−")}`);
    for (const line of list.querySelectorAll(".cr-held-now")) line.textContent = "held above: " + (words.join(", ") || "nothing yet");
  }

  /** Returns results and model for the printed sheet. */
  function showFound({ exercise, found, of, busy }) {
    const box = list.querySelector(`[data-id="${CSS.escape(exercise)}"] .cr-found`);
    if (busy) return box.replaceChildren(made("p", { textContent: "Measuring …" }));
    const passed = found.passed === undefined ? "" : found.passed ? "✓ " : "✗ ";
    const verdict = made("p", { className: "cr-verdict", textContent: passed + found.words });
    verdict.classList.toggle("cr-passed", !!found.passed);
    const table = made("table");
    for (const [name, value] of [...found.values, ...Object.entries(of)]) {
      const row = table.insertRow();
      row.append(made("th", { scope: "row", textContent: name }), made("td", { textContent: value }));
    }
    box.replaceChildren(verdict, ...(found.values.length ? [table] : []));
    $(".cr-print").disabled = !list.querySelector(".cr-found table");
  }

  fold.addEventListener("toggle", () => fold.open && (showHeld(), view.ask()));
  page.on("checkpoint-changed", view.ask);
  page.on("clamps-applied", showHeld);
  $(".cr-print").addEventListener("click", () => {
    fold.open = true;
    document.body.classList.add("cr-printing");
    window.print();
  });
  window.addEventListener("afterprint", () => document.body.classList.remove("cr-printing"));

  return (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    $(".cr-plot-words").textContent = answer.words;
    if (!answer.exercises) return;
    $(".cr-of").textContent = answer.model;
    if (!list.childElementCount) list.append(...answer.exercises.map(task));
    offer(answer.parts);
    showHeld();
    if (answer.exercise) showFound(answer);
    if (!answer.busy) handedIn = null;
  };
}
