// Samples of one model at each saved training step, from the same random draws.

import { createViewQuery } from "../components/view_query.js";
import { fill } from "../components/page_state.js";

/** Set up the view; returns what takes the server's answers. */
export function mount({ element, send }) {
  const select = element.querySelector("select");
  const list = element.querySelector(".cr-samples");
  const words = element.querySelector(".cr-plot-words");
  const view = createViewQuery({ element, send, request: () => ({ form: { model: select.value } }) });

  select.addEventListener("change", view.ask);

  return (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    words.textContent = answer.words;
    if (answer.models) {
      select.replaceChildren(...answer.models.map(({ name, title }) => new Option(title, name)));
      select.value = answer.chosen;
    }
    list.replaceChildren(
      ...(answer.samples || []).map(({ step, loss, text }) => {
        const item = document.createElement("li");
        const head = document.createElement("h3");
        head.textContent = `step ${step.toLocaleString("en")}`;
        const note = document.createElement("span");
        note.textContent = loss;
        const written = document.createElement("p");
        written.dir = "auto";
        fill(written, text);
        head.append(note);
        item.append(head, written);
        return item;
      }),
    );
  };
}
