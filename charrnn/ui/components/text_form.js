// A form with a custom text. The text applies when a button is pressed.

import { page } from "./page_state.js";

/** `read` takes the text of a button: the custom one, that of Write, or "" for the default. */
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
