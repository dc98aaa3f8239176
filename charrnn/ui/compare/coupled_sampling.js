// Two texts sampled with common random numbers, side by side, with their first difference.

import { createModelForms } from "../components/model_pair.js";
import { knownToAll, offeredModel } from "../components/offered_models.js";
import { createCoupledTexts, writerOf } from "../session/coupled_view.js";
import { isEqual, MAX_SEED } from "../session/session.js";

/** Set up the view. */
export function mount({ element }) {
  const form = element.querySelector("form");

  function request() {
    const sides = Object.values(pair.values());
    if (!sides.every(({ checkpoint }) => checkpoint)) return null; // before the first list of models
    const models = sides.map(({ checkpoint }) => offeredModel(checkpoint));
    const { seed, characters, prompt } = form.elements;
    const isDefault = prompt.value === prompt.defaultValue;
    if (isDefault) prompt.value = prompt.defaultValue = models[0].prompt;
    const { text, notice } = knownToAll(models, prompt.value);
    return {
      writers: sides.map(({ checkpoint, ...values }) => writerOf(checkpoint, { min_p: 0, ...values })),
      prompt: text,
      seed: seed.valueAsNumber,
      characters: characters.valueAsNumber,
      titles: pair.titles(),
      notice: isDefault ? "" : notice,
      whyIdentical: isEqual(...sides) ? "the same model with the same settings and the same dice" : "no die fell where they differ",
    };
  }

  const texts = createCoupledTexts({ element, request });
  const pair = createModelForms(form, { withSampling: true, changed: texts.ask });
  const ask = () => form.reportValidity() && texts.ask();

  form.addEventListener("change", ask);
  form.addEventListener("submit", ask);
  element.querySelector(".cr-other-dice").addEventListener("click", () => {
    const { seed } = form.elements;
    seed.value = ((seed.valueAsNumber || 0) + 1) % (MAX_SEED + 1);
    ask();
  });
}
