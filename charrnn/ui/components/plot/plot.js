// A form and its figure. The template defines the parts.

import { createViewQuery } from "../view_query.js";
import { page } from "../page_state.js";
import { createTable } from "../table/table.js";
import { createModelCheckboxes } from "./model_checkboxes.js";
import { createFigure } from "./figure.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const form = element.querySelector("form");
  const fieldset = element.querySelector(".cr-chips");
  const own = element.querySelector("textarea");
  const { follows, lazily } = form.dataset; // follows: the "picker" or also the "selection", and the tab's text
  let text = ""; // the submitted custom text

  function request() {
    const data = new FormData(form);
    const given = follows ? page.customText || "" : text;
    return { form: { parts: data.getAll("parts"), unit: data.get("unit") || "nats", span: data.get("span") || "late", text: given } };
  }
  function show(answer) {
    if (answer.figure || !answer.busy) {
      showFigure(answer);
      showTable(answer.table, answer.models);
    }
    if (answer.models) showCheckboxes?.(answer);
  }
  const asking = own || follows ? "Measuring …" : "";
  const view = createViewQuery({ element, send, request, show, asking, lazily: !!(follows || lazily) });
  const showFigure = createFigure(element.querySelector(".cr-plot"), view.say);
  const showTable = createTable(element.querySelector(".cr-table"));
  const showCheckboxes = fieldset && createModelCheckboxes(fieldset, view.ask);

  function measure(given) {
    text = given;
    view.ask();
    if (!own) return;
    page.customText = text; // shared with the other parts of the tab
    page.emit("custom-text");
  }

  form.addEventListener("change", (event) => event.target.closest(".cr-options") && view.ask());
  form.addEventListener("submit", () => measure(own?.value || ""));
  form.addEventListener("reset", () => measure(""));
  if (fieldset || follows) page.on("checkpoint-changed", view.ask);
  if (follows) page.on("custom-text", view.ask);
  if (follows === "selection") page.on("selection-changed", view.ask);

  const take = element.querySelector(".cr-take"); // inserts the scored text of the tab Write
  const offer = () => take && (take.hidden = !page.scoredText);
  take?.addEventListener("click", () => {
    own.value = page.scoredText;
    form.requestSubmit();
  });
  page.on("score-text", offer);
  offer();

  return view.receive;
}
