// Two texts sampled with common random numbers, side by side, with their first difference.

import { MAX_SEED } from "../session/session.js";
import { createViewQuery } from "../components/view_query.js";
import { createDivergence } from "../components/divergence.js";
import { createModelForms } from "../components/model_pair.js";
import { createTextPair } from "../components/text_pair.js";

/** Set up the view; returns a function that takes the server's answers. */
export function mount({ element, send }) {
  const form = element.querySelector("form");
  const showTexts = createTextPair(element.querySelector(".cr-writers"));
  const pair = createModelForms(form, { withSampling: true });
  const showDivergence = createDivergence(element.querySelector(".cr-divergence"));
  let titles = [];

  function request() {
    const { seed, characters, prompt } = form.elements;
    return { form: { ...pair.values(), seed: seed.valueAsNumber, characters: characters.valueAsNumber, prompt: prompt.value } };
  }
  function show(answer) {
    pair.offer(answer);
    titles = answer.titles || titles;
    showTexts(answer, titles);
    showDivergence(answer.divergence, titles);
  }
  const view = createViewQuery({ element, send, request, show, busyText: "Writing …" });
  const ask = () => form.reportValidity() && view.ask();

  form.addEventListener("change", ask);
  form.addEventListener("submit", ask);
  element.querySelector(".cr-other-dice").addEventListener("click", () => {
    const { seed } = form.elements;
    seed.value = ((seed.valueAsNumber || 0) + 1) % (MAX_SEED + 1);
    ask();
  });

  return view.receive;
}
