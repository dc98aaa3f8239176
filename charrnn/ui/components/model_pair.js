// Forms of the models A and B: checkpoint and training step.

import { create, setOptions } from "./create_element.js";
import { titleOf } from "./offered_models.js";
import { page } from "./page_state.js";

const NAMES = ["A", "B"];
const DEFAULT_PAIR = ["rnn", "minigpt"];

/** Wrap a form element in a label. */
export const field = (text, input, className = "") => create("label", "cr-field " + className, text + " ", input);

/** Create the fieldset of one model: { fieldset, checkpoint, choose, offer }. */
function modelForm(side) {
  const model = create("select");
  const step = create("select");
  const fields = [field("network", model, "cr-field-wide"), field("training step", step)];
  const fieldset = create("fieldset", { className: "cr-side", dataset: { side } }, create("legend", {}, side), ...fields);
  let models = [];

  const offerSteps = (chosen) => {
    const steps = models.find(({ name }) => name === model.value)?.steps || [];
    setOptions(step, steps.map((name) => ({ name, title: name.toLocaleString("en") })), steps.includes(chosen) ? chosen : steps.at(-1));
    step.disabled = steps.length < 2;
  };
  model.addEventListener("change", () => offerSteps());

  return {
    fieldset,
    checkpoint: () => (model.value ? { name: model.value, step: Number(step.value) } : null),
    choose({ name, step: chosen }) {
      model.value = name;
      offerSteps(chosen);
    },
    /** Offer these models. Keeps the choice if it is one of them. */
    offer(offered, preferred) {
      const [name, chosen] = [model.value, Number(step.value)];
      models = offered;
      setOptions(model, models, models.some((other) => other.name === name) ? name : preferred);
      offerSteps(model.value === name ? chosen : null);
    },
  };
}

/**
 * Add the fieldsets of A and B, which offer page.models. changed(): called when the offered models change.
 *
 * Returns {values, titles, choose, isDefault}: `values` returns {A: {checkpoint}, B: {checkpoint}}, `titles` those of both,
 * `choose` takes the checkpoint of a side, `isDefault` checks if the side is as first offered.
 */
export function createModelForms(form, { changed }) {
  const both = NAMES.map(modelForm);
  form.querySelector(".cr-sides").prepend(...both.map(({ fieldset }) => fieldset));
  let offered = "";
  let defaults = null; // of the first offer

  const values = () => ({ A: { checkpoint: both[0].checkpoint() }, B: { checkpoint: both[1].checkpoint() } });

  /** Offer the models; return whether they have changed. */
  function offer() {
    const { models } = page;
    const list = JSON.stringify(models.map(({ name, steps, sha256 }) => [name, steps, sha256]));
    if (!models.length || list === offered) return false;
    offered = list;
    const ends = [models[0], models.at(-1)];
    both.forEach((side, i) => side.offer(models, (models.find(({ name }) => name === DEFAULT_PAIR[i]) ?? ends[i]).name));
    defaults ??= values();
    return true;
  }
  page.on("models-changed", () => offer() && changed());
  offer();

  return {
    values,
    titles: () => both.map((side, i) => `${NAMES[i]} · ${titleOf(side.checkpoint())}`),
    choose: (side, checkpoint) => both[NAMES.indexOf(side)].choose(checkpoint),
    isDefault: (side) => !defaults || JSON.stringify(values()[side]) === JSON.stringify(defaults[side]),
  };
}
