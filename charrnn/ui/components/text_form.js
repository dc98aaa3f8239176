// A form with a custom text. The text applies when a button is pressed.

import { page } from "./page_state.js";

/**
 * `read` is called with the text of a button: the custom one, that of Write, or "" for the default.
 *
 * Returns a function that returns the applied text.
 */
export function textForm(form, read) {
  const own = form.elements.text;
  let applied = "";
  const take = (text) => read((applied = own.value = text));
  form.addEventListener("submit", () => take(own.value));
  form.querySelector(".cr-of-write")?.addEventListener("click", () => take(page.live?.text || ""));
  form.querySelector(".cr-default").addEventListener("click", () => take(""));
  return () => applied;
}
