// A form and the figure it asks for; which parts there are depends on the template.

import { asking } from "../view_query.js";
import { page } from "../page_state.js";
import { tableIn } from "../table/table.js";
import { chipsIn } from "./model_checkboxes.js";
import { figureIn } from "./figure.js";

/** Set up the view; returns what takes the server's answers. */
export function mount({ element, send }) {
  const form = element.querySelector("form");
  const words = element.querySelector(".cr-plot-words");
  const fieldset = element.querySelector(".cr-chips");
  const own = element.querySelector("textarea");
  const follows = !!form.dataset.follows; // the model in the picker and the text of the tab; measured when in sight
  const say = (text) => (words.textContent = text);
  let text = ""; // the own text that is measured: it counts when the button is pressed

  const chosen = () => {
    const data = new FormData(form);
    return { parts: data.getAll("parts"), unit: data.get("unit") || "nats", span: data.get("span") || "late", text: follows ? page.ownText || "" : text };
  };
  const view = asking({ element, send, request: () => ({ form: chosen() }), asked: () => (own || follows) && say("Measuring …"), lazily: follows || !!form.dataset.lazily });
  const showFigure = figureIn(element.querySelector(".cr-plot"), say);
  const showTable = tableIn(element.querySelector(".cr-table"));
  const showChips = fieldset && chipsIn(fieldset, view.ask);

  function measure(given) {
    text = given;
    view.ask();
    if (!own) return;
    page.ownText = text; // the other parts of the tab read the same
    page.emit("own-text");
  }

  form.addEventListener("change", (event) => event.target.closest(".cr-options") && view.ask());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    measure(own?.value || "");
  });
  form.addEventListener("reset", () => {
    measure("");
  });
  if (fieldset || follows) page.on("measuring", view.ask);
  if (follows) page.on("own-text", view.ask);

  const take = element.querySelector(".cr-take"); // the passage that the tab Write reads
  const offer = () => take && (take.hidden = !page.passage);
  take?.addEventListener("click", () => {
    own.value = page.passage;
    form.requestSubmit();
  });
  page.on("passage", offer);
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
