// A form and its figure. The template of the view decides which parts there are.

import { page } from "../page_state.js";
import { createViewQuery } from "../view_query.js";
import { createTable } from "../table/table.js";
import { createModelCheckboxes } from "./model_checkboxes.js";
import { createFigure } from "./plotly_figure.js";
import { headingOf, registerUnlinked } from "../unlinked_state.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const form = element.querySelector("form");
  const fieldset = element.querySelector(".cr-chips");
  const input = element.querySelector("textarea");
  const { follows, lazily } = form.dataset; // follows: the "picker" or also the "selection", and the custom text of the tab
  let ownText = ""; // submitted in this view

  function request() {
    const data = new FormData(form);
    const text = follows ? page.customText : ownText;
    return { form: { parts: data.getAll("parts"), unit: data.get("unit") || "nats", span: data.get("span") || "late", text } };
  }
  function show(answer) {
    if (answer.figure || !answer.busy) {
      showFigure(answer);
      showTable(answer.table, answer.models);
    }
    if (answer.models) showCheckboxes?.(answer);
  }
  const busyText = input || follows ? "Measuring …" : "";
  const fold = element.querySelector("details:has(> summary h2)"); // around the whole view
  const view = createViewQuery({ element, send, request, show, busyText, lazily: !!(follows || lazily), fold });
  const showFigure = createFigure(element.querySelector(".cr-plot"), view.say);
  const showTable = createTable(element.querySelector(".cr-table"));
  const showCheckboxes = fieldset && createModelCheckboxes(fieldset, view.ask);

  function measure(text) {
    ownText = text;
    view.ask();
    if (!input) return;
    page.customText = text; // shared with the other views of the tab
    page.emit("custom-text");
  }

  const options = [...form.querySelectorAll(".cr-options input")];
  registerUnlinked(() => ownText && "the text of " + headingOf(form));
  registerUnlinked(() => (options.some((option) => option.checked !== option.defaultChecked) ? "the options of " + headingOf(form) : ""));

  form.addEventListener("change", (event) => event.target.closest(".cr-options") && view.ask());
  form.addEventListener("submit", () => measure(input?.value || ""));
  form.addEventListener("reset", () => measure(""));
  if (fieldset || follows) page.on("checkpoint-changed", view.ask);
  if (follows) page.on("custom-text", view.ask);
  if (follows === "selection") page.on("selection-changed", view.ask);

  const insert = element.querySelector(".cr-take"); // inserts the scored text of the tab Write
  const offerText = () => insert && (insert.hidden = !page.scoredText);
  insert?.addEventListener("click", () => {
    input.value = page.scoredText;
    form.requestSubmit();
  });
  page.on("score-text", offerText);
  offerText();

  return view.receive;
}
