// Two texts written with the same dice, side by side, and where they part.

import { createViewQuery } from "../components/view_query.js";
import { MAX_SEED } from "../session/session.js";
import { createDivergence } from "../components/divergence.js";
import { createModelForms } from "../components/model_pair.js";
import { createTextPair } from "../components/text_pair.js";

/** Set up the view; returns what takes the server's answers. */
export function mount({ element, send }) {
  const form = element.querySelector("form");
  const words = element.querySelector(".cr-plot-words");
  const showTexts = createTextPair(element.querySelector(".cr-writers"));
  const sides = createModelForms(form, true);
  const showParting = createDivergence(element.querySelector(".cr-parting"));
  let titles = [];

  const said = () => ({
    ...sides.said(),
    seed: form.elements.seed.valueAsNumber,
    characters: form.elements.characters.valueAsNumber,
    prompt: form.elements.prompt.value,
  });
  const view = createViewQuery({ element, send, request: () => ({ form: said() }), asked: () => (words.textContent = "Writing …") });
  const ask = () => form.reportValidity() && view.ask();

  form.addEventListener("change", ask);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  element.querySelector(".cr-other-dice").addEventListener("click", () => {
    const seed = form.elements.seed;
    seed.value = ((seed.valueAsNumber || 0) + 1) % (MAX_SEED + 1);
    ask();
  });

  return (value) => {
    const answer = view.answered(value);
    if (!answer) return;
    words.textContent = answer.words;
    sides.offer(answer);
    titles = answer.titles || titles;
    showTexts(answer, titles);
    showParting(answer.parting, titles);
  };
}
