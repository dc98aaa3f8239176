// Exercises: submit an answer, show the measurement, print the results.

import { create } from "../components/create_element.js";
import { createViewQuery } from "../components/view_query.js";
import { page } from "../components/page_state.js";
import { clampName } from "../session/interventions.js";

const LABELS = { part: "what", unit: "unit", guess: "characters" };

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const list = $(".cr-tasks");
  const fold = $("details");
  let submitted = null; // the form of the exercise being checked

  const request = () => ({ form: { exercise: "", ...submitted } });
  const view = createViewQuery({ element, send, request, show });

  function field(form, name) {
    const input = name === "part" ? create("select", { name }) : create("input", { name, type: "number", required: true });
    if (name === "unit") Object.assign(input, { min: 0, step: 1 });
    if (name === "guess") Object.assign(input, { min: 0.01, max: 1000, step: "any" });
    form.append(create("label", { className: "cr-field" }, LABELS[name] + " ", input));
  }

  function task(exercise) {
    const form = create("form", { className: "cr-task", dataset: { id: exercise.id } });
    form.append(create("h3", { textContent: exercise.title }), create("p", { textContent: exercise.question }));
    const row = create("div", { className: "cr-hand-in" });
    exercise.fields.forEach((name) => field(row, name));
    if (exercise.from_clamps) row.append(create("p", { className: "cr-held-now" }));
    row.append(create("button", { type: "submit", className: "cr-button", textContent: exercise.button }));
    const how = create("details", { className: "cr-how" }, create("summary", { textContent: "What is checked" }), create("p", { textContent: exercise.how }));
    form.append(row, how, create("div", { className: "cr-found", role: "status" }));
    form.addEventListener("submit", () => {
      const data = new FormData(form);
      submitted = { exercise: exercise.id, part: data.get("part") ?? "" };
      for (const name of ["unit", "guess"]) if (data.has(name)) submitted[name] = Number(data.get(name));
      if (exercise.from_clamps) submitted.clamps = page.appliedClamps;
      view.ask();
    });
    return create("li", {}, form);
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

  /** Show the applied clamps in the forms. */
  function showHeld() {
    const words = page.appliedClamps.map(clampName).join(", ") || "nothing yet";
    for (const line of list.querySelectorAll(".cr-held-now")) line.textContent = "held above: " + words;
  }

  /** Show the result of a check, with the model for the printed sheet. */
  function showFound({ exercise, found, of, busy }) {
    const box = list.querySelector(`[data-id="${CSS.escape(exercise)}"] .cr-found`);
    if (busy) return box.replaceChildren(create("p", { textContent: "Measuring …" }));
    const passed = found.passed === undefined ? "" : found.passed ? "✓ " : "✗ ";
    const verdict = create("p", { className: "cr-verdict", textContent: passed + found.words });
    verdict.classList.toggle("cr-passed", !!found.passed);
    const table = create("table");
    for (const [name, value] of [...found.values, ...Object.entries(of)]) {
      const row = table.insertRow();
      row.append(create("th", { scope: "row", textContent: name }), create("td", { textContent: value }));
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

  function show(answer) {
    if (!answer.exercises) return;
    $(".cr-of").textContent = answer.model;
    if (!list.childElementCount) list.append(...answer.exercises.map(task));
    offer(answer.parts);
    showHeld();
    if (answer.exercise) showFound(answer);
    if (!answer.busy) submitted = null;
  }

  return view.receive;
}
