// Exercises: submit an answer, show the measurement, print the results.

import { create, setOptions } from "../components/create_element.js";
import { createViewQuery } from "../components/view_query.js";
import { page } from "../components/page_state.js";
import { clampName } from "../session/interventions.js";

const LABELS = { part: "what", unit: "unit", guess: "characters" };

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const list = $(".cr-tasks");
  const details = $("details");
  let submitted = null; // the form of the exercise being checked

  const request = () => ({ form: { exercise: "", ...submitted } });
  const view = createViewQuery({ element, send, request, show });

  function addField(row, name) {
    const input = name === "part" ? create("select", { name }) : create("input", { name, type: "number", required: true });
    if (name === "unit") Object.assign(input, { min: 0, step: 1 });
    if (name === "guess") Object.assign(input, { min: 0.01, max: 1000, step: "any" });
    row.append(create("label", { className: "cr-field" }, LABELS[name] + " ", input));
  }

  /** Create the list item of an exercise. */
  function item(exercise) {
    const form = create("form", { className: "cr-task", dataset: { id: exercise.id } });
    form.append(create("h3", {}, exercise.title), create("p", {}, exercise.question));
    const row = create("div", "cr-hand-in");
    exercise.fields.forEach((name) => addField(row, name));
    if (exercise.from_clamps) row.append(create("p", "cr-held-now"));
    row.append(create("button", { type: "submit", className: "cr-button" }, exercise.button));
    const how = create("details", "cr-how", create("summary", {}, "What is checked"), create("p", {}, exercise.how));
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

  /** Offer the activations of the model, with the number of their units as limit. */
  function offerParts(parts) {
    for (const select of list.querySelectorAll("select")) {
      const chosen = parts.find(({ name }) => name === select.value) ?? parts[0];
      setOptions(select, parts.map(({ name }) => ({ name, title: name })), chosen.name);
      const setLimit = () => (select.form.elements.unit.max = parts.find(({ name }) => name === select.value).units - 1);
      select.onchange = setLimit;
      setLimit();
    }
  }

  /** Show the applied clamps in the forms. */
  function showClamps() {
    const names = page.appliedClamps.map(clampName).join(", ") || "nothing yet";
    for (const line of list.querySelectorAll(".cr-held-now")) line.textContent = "held above: " + names;
  }

  /** Show the result of a check, with the model for the printed sheet. */
  function showResult({ exercise, found, of, busy }) {
    const box = list.querySelector(`[data-id="${CSS.escape(exercise)}"] .cr-found`);
    if (busy) return box.replaceChildren(create("p", {}, "Measuring …"));
    const passed = found.passed === undefined ? "" : found.passed ? "✓ " : "✗ ";
    const verdict = create("p", "cr-verdict", passed + found.words);
    verdict.classList.toggle("cr-passed", !!found.passed);
    const table = create("table");
    for (const [name, value] of [...found.values, ...Object.entries(of)]) {
      const row = table.insertRow();
      row.append(create("th", { scope: "row" }, name), create("td", {}, value));
    }
    box.replaceChildren(verdict, ...(found.values.length ? [table] : []));
    $(".cr-print").disabled = !list.querySelector(".cr-found table");
  }

  details.addEventListener("toggle", () => details.open && (showClamps(), view.ask()));
  page.on("checkpoint-changed", view.ask);
  page.on("clamps-applied", showClamps);
  $(".cr-print").addEventListener("click", () => {
    details.open = true;
    document.body.classList.add("cr-printing");
    window.print();
  });
  window.addEventListener("afterprint", () => document.body.classList.remove("cr-printing"));

  function show(answer) {
    if (!answer.busy) submitted = null;
    if (!answer.exercises) return;
    $(".cr-of").textContent = answer.model;
    if (!list.childElementCount) list.append(...answer.exercises.map(item));
    offerParts(answer.parts);
    showClamps();
    if (answer.exercise) showResult(answer);
  }

  return view.receive;
}
