// Exercises: submit an answer, show the measurement, print the results.

import { create, setOptions } from "../components/create_element.js";
import { edition } from "../components/edition.js";
import { requirePython } from "../components/needs_python.js";
import { createViewQuery } from "../components/view_query.js";
import { page } from "../components/page_state.js";
import { clampName } from "../session/interventions.js";
import { offerNetwork } from "./switch_network.js";

const LABELS = { part: "what", unit: "unit", guess: "characters" };

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const $ = (selector) => element.querySelector(selector);
  const list = $(".cr-tasks");
  requirePython([], list, "Checking an answer needs Python too."); // their buttons come with the answer
  const revealed = new Set(); // exercises whose answer was shown, each with its network and step
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
    if (exercise.from_clamps) row.append(create("p", "cr-frozen-now"));
    row.append(create("button", { type: "submit", className: "cr-button cr-check" }, exercise.button));
    row.append(create("button", { type: "button", className: "cr-button cr-switch-network", hidden: true }));
    if (exercise.reveals) row.append(create("p", { className: "cr-revealed-before", hidden: true }, "Its answer was shown: choose another network or training step to guess again."));
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
    for (const line of list.querySelectorAll(".cr-frozen-now")) line.textContent = "frozen above: " + names;
  }

  const keyOf = (id) => JSON.stringify([id, page.checkpoint]);

  /** Disable the exercises whose answer was shown for this network, and all without Python. */
  function closeRevealed() {
    for (const form of list.querySelectorAll("form")) {
      const isRevealed = revealed.has(keyOf(form.dataset.id));
      form.querySelector(".cr-check").disabled = isRevealed || edition.needsPython !== "";
      form.querySelector(".cr-revealed-before")?.toggleAttribute("hidden", !isRevealed);
    }
  }

  /** Remove the messages about the previous network, except measurements. */
  function clearRefusals() {
    for (const box of list.querySelectorAll(".cr-found:not(:has(table))")) box.replaceChildren();
    for (const button of list.querySelectorAll(".cr-switch-network")) offerNetwork(button, null);
  }

  /** Show the result of a check, with the model for the printed sheet. */
  function showResult({ exercise, found, of, busy }) {
    const box = list.querySelector(`[data-id="${CSS.escape(exercise)}"] .cr-found`);
    if (busy) return box.replaceChildren(create("p", {}, "Measuring …"));
    if (found.reveals) revealed.add(keyOf(exercise));
    const passed = found.passed === undefined ? "" : found.passed ? "✓ " : "✗ ";
    const verdict = create("p", "cr-verdict", passed + found.words);
    verdict.classList.toggle("cr-passed", !!found.passed);
    const table = create("table");
    for (const [name, value] of [...found.values, ...Object.entries(of)]) {
      const row = table.insertRow();
      row.append(create("th", { scope: "row" }, name), create("td", {}, value));
    }
    box.replaceChildren(verdict, ...(found.values.length ? [table] : []));
    offerNetwork(box.closest("form").querySelector(".cr-switch-network"), found.other, "#cr-exercises");
    $(".cr-print").disabled = !list.querySelector(".cr-found table");
  }

  page.on("checkpoint-changed", () => {
    clearRefusals();
    view.ask();
  });
  page.on("clamps-applied", showClamps);
  $(".cr-print").addEventListener("click", () => {
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
    closeRevealed();
  }

  return view.receive;
}
