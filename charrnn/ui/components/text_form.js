// A form with a custom text. The text applies when a button is pressed.

import { page } from "./page_state.js";
import { headingOf, registerUnlinked } from "./unlinked_state.js";

/**
 * Set up the form; `changed` is called with the text of a button: the custom one, that of Write, or "" for the default.
 *
 * Returns a function that returns the applied text.
 */
export function bindTextForm(form, changed) {
  const input = form.elements.text;
  let applied = "";
  const apply = (text) => changed((applied = input.value = text));
  form.addEventListener("submit", () => apply(input.value));
  form.querySelector(".cr-of-write")?.addEventListener("click", () => apply(page.live?.text || ""));
  form.querySelector(".cr-default").addEventListener("click", () => apply(""));
  registerUnlinked(() => applied && "the text of " + headingOf(form));
  return () => applied;
}
