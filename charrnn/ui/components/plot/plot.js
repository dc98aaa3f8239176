// A form and its figure. The template defines the parts.

import { createViewQuery } from "../view_query.js";
import { page } from "../page_state.js";
import { createTable } from "../table/table.js";
import { createChips } from "./model_checkboxes.js";
import { createFigure } from "./figure.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const form = element.querySelector("form");
  const words = element.querySelector(".cr-plot-words");
  const fieldset = element.querySelector(".cr-chips");
  const own = element.querySelector("textarea");
  const follows = !!form.dataset.follows; // uses the picked model and the tab's text; queried when visible
  const say = (text) => (words.textContent = text);
  let text = ""; // the submitted custom text

  const chosen = () => {
    const data = new FormData(form);
    return { parts: data.getAll("parts"), unit: data.get("unit") || "nats", span: data.get("span") || "late", text: follows ? page.ownText || "" : text };
  };
  const view = createViewQuery({ element, send, request: () => ({ form: chosen() }), asked: () => (own || follows) && say("Measuring …"), lazily: follows || !!form.dataset.lazily });
  const showFigure = createFigure(element.querySelector(".cr-plot"), say);
  const showTable = createTable(element.querySelector(".cr-table"));
  const showChips = fieldset && createChips(fieldset, view.ask);

  function measure(given) {
    text = given;
    view.ask();
    if (!own) return;
    page.ownText = text; // shared with the other parts of the tab
    page.emit("custom-text");
  }

  form.addEventListener("change", (event) => event.target.closest(".cr-options") && view.ask());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    measure(own?.value || "");
  });
  form.addEventListener("reset", () => {
    measure("");
  });
  if (fieldset || follows) page.on("checkpoint-changed", view.ask);
  if (follows) page.on("custom-text", view.ask);

  const take = element.querySelector(".cr-take"); // inserts the scored text of the tab Write
  const offer = () => take && (take.hidden = !page.passage);
  take?.addEventListener("click", () => {
    own.value = page.passage;
    form.requestSubmit();
  });
  page.on("score-text", offer);
  offer();

  return (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    say(answer.words);
    element.classList.toggle("cr-busy", !!answer.busy);
    if (answer.figure || !answer.busy) {
      showFigure(answer);
      showTable(answer.table, answer.models);
    }
    if (answer.models && showChips) showChips(answer);
  };
}
