// Forms of the models A and B: checkpoint and training step, with sampling settings in views that generate.

import { create, setOptions } from "./create_element.js";
import { titleOf } from "./offered_models.js";
import { page } from "./page_state.js";
import { headingOf, registerUnlinked } from "./unlinked.js";

const NAMES = ["A", "B"];
const DEFAULT_PAIR = ["rnn", "minigpt"];

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
    setOptions(step, steps.map((name) => ({ name, title: name.toLocaleString("en") })), steps.includes(chosen) ? chosen : steps.at(-1));
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
    /** Offer these models; the choice stays if it can. */
    offer(offered, preferred) {
      const [name, chosen] = [model.value, Number(step.value)];
      models = offered;
      setOptions(model, models, models.some((other) => other.name === name) ? name : preferred);
      offerSteps(model.value === name ? chosen : null);
    },
  };
}

/**
 * Add the fieldsets of A and B, which offer page.models. changed(): called when there are other models.
 *
 * Returns {values, titles}: the values of both, and the titles of their checkpoints.
 */
export function createModelForms(form, { withSampling, changed }) {
  const both = NAMES.map((name) => modelForm(name, withSampling ? SAMPLING : []));
  form.querySelector(".cr-sides").prepend(...both.map(({ fieldset }) => fieldset));
  let offered = "";

  /** Offer the models; return whether they are others than before. */
  function offer() {
    const { models } = page;
    const list = JSON.stringify(models.map(({ name, steps, sha256 }) => [name, steps, sha256]));
    if (!models.length || list === offered) return false;
    offered = list;
    const ends = [models[0], models.at(-1)];
    both.forEach((side, i) => side.offer(models, (models.find(({ name }) => name === DEFAULT_PAIR[i]) ?? ends[i]).name));
    return true;
  }
  const values = () => ({ A: both[0].values(), B: both[1].values() });
  let defaults = ""; // values of the first offer
  const offerNew = () => {
    const isNew = offer();
    if (isNew) defaults ||= JSON.stringify(values());
    return isNew;
  };
  page.on("models-changed", () => offerNew() && changed());
  offerNew();

  const isSet = ({ name, value, defaultValue }) => name && name !== "text" && value !== defaultValue;
  registerUnlinked(() => {
    const isDefault = !defaults || (JSON.stringify(values()) === defaults && ![...form.elements].some(isSet));
    return isDefault ? "" : "the models and settings of " + headingOf(form);
  });

  return {
    values,
    titles: () => both.map((side, i) => `${NAMES[i]} · ${titleOf(side.values().checkpoint)}`),
  };
}
