// A form with a text box of the visitor's own: what is in it counts when a button is pressed.

import { page } from "./page_state.js";

/** `read` takes the text that a button of the form stands for: the visitor's own, that of Write, "" for the default. */
export function textForm(form, read) {
  const own = form.elements.text;
  const take = (text) => read((own.value = text));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    take(own.value);
  });
  form.querySelector(".cr-of-write")?.addEventListener("click", () => take(page.live?.text || ""));
  form.querySelector(".cr-default").addEventListener("click", () => take(""));
}
