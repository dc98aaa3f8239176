// Forms of the models A and B: checkpoint and training step, with sampling settings in views that generate.

import { create, setOptions } from "./create_element.js";

const SAMPLING = [
  { name: "temperature", label: "temperature", min: 0, max: 2, step: 0.01, value: 0.8 },
  { name: "top_k", label: "top-k", min: 0, max: 1114112, step: 1, value: 0, title: "0 is off" },
  { name: "top_p", label: "top-p", min: 0.01, max: 1, step: 0.01, value: 1, title: "1 is off" },
];

/** Wrap a form element in a label. */
export const field = (text, input, className = "") => create("label", "cr-field " + className, text + " ", input);

/** Create the fieldset of one model: { fieldset, values, offer }. */
function modelForm(side, sampling) {
  const model = create("select");
  const step = create("select");
  const inputs = sampling.map(({ label, name, title = "", ...limits }) =>
    create("input", { type: "number", title, required: true, ...limits, dataset: { name, label } }),
  );
  const fields = [field("model", model, "cr-field-wide"), field("training step", step), ...inputs.map((input) => field(input.dataset.label, input))];
  const fieldset = create("fieldset", { className: "cr-side", dataset: { side } }, create("legend", {}, side), ...fields);
  let models = [];

  const offerSteps = (chosen) => {
    const steps = models.find(({ name }) => name === model.value)?.steps || [];
    setOptions(step, steps.map((name) => ({ name, title: name.toLocaleString("en") })), chosen ?? steps.at(-1));
    step.disabled = steps.length < 2;
    const topK = inputs.find((input) => input.dataset.name === "top_k");
    if (topK) topK.max = models.find(({ name }) => name === model.value)?.characters ?? topK.max;
  };
  model.addEventListener("change", () => offerSteps());

  return {
    fieldset,
    values: () => ({
      checkpoint: model.value ? { name: model.value, step: Number(step.value) } : null,
      ...Object.fromEntries(inputs.map((input) => [input.dataset.name, input.valueAsNumber])),
    }),
    offer(offered, chosen) {
      models = offered;
      setOptions(model, models, chosen.name);
      offerSteps(chosen.step);
    },
  };
}

/** Add the fieldsets of A and B; returns {values, offer}: their values, and a function that takes an answer's models. */
export function createModelForms(form, { withSampling }) {
  const both = ["A", "B"].map((name) => modelForm(name, withSampling ? SAMPLING : []));
  form.querySelector(".cr-sides").prepend(...both.map(({ fieldset }) => fieldset));
  return {
    values: () => ({ A: both[0].values(), B: both[1].values() }),
    offer({ models, chosen }) {
      if (models) both.forEach(({ offer }, i) => offer(models, chosen[i]));
    },
  };
}
