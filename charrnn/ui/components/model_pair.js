// Forms of the models A and B: checkpoint and training step, with sampling settings in views that generate.

const SAMPLING = [
  { name: "temperature", label: "temperature", min: 0, max: 2, step: 0.01, value: 0.8 },
  { name: "top_k", label: "top-k", min: 0, max: 1114112, step: 1, value: 0, title: "0 is off" },
  { name: "top_p", label: "top-p", min: 0.01, max: 1, step: 0.01, value: 1, title: "1 is off" },
];

/** Wrap a form element in a label. */
function field(text, input, wide = false) {
  const label = document.createElement("label");
  label.className = "cr-field" + (wide ? " cr-field-wide" : "");
  label.append(text + " ", input);
  return label;
}

function side(fieldset, sampling) {
  const model = document.createElement("select");
  const step = document.createElement("select");
  fieldset.append(field("model", model, true), field("training step", step));
  const inputs = sampling.map(({ label, name, title = "", ...limits }) => {
    const input = Object.assign(document.createElement("input"), { type: "number", title, required: true, ...limits });
    input.dataset.name = name;
    fieldset.append(field(label, input));
    return input;
  });
  let models = [];

  const offerSteps = (chosen) => {
    const steps = models.find(({ name }) => name === model.value)?.steps || [];
    step.replaceChildren(...steps.map((each) => new Option(each.toLocaleString("en"), each)));
    step.value = chosen ?? steps.at(-1);
    step.disabled = steps.length < 2;
    const topK = inputs.find((input) => input.dataset.name === "top_k");
    if (topK) topK.max = models.find(({ name }) => name === model.value)?.characters ?? topK.max;
  };
  model.addEventListener("change", () => offerSteps());

  return {
    said: () => ({
      checkpoint: model.value ? { name: model.value, step: Number(step.value) } : null,
      ...Object.fromEntries(inputs.map((input) => [input.dataset.name, input.valueAsNumber])),
    }),
    offer(offered, chosen) {
      models = offered;
      model.replaceChildren(...models.map(({ name, title }) => new Option(title, name)));
      model.value = chosen.name;
      offerSteps(chosen.step);
    },
  };
}

/** Fill the fieldsets of A and B; returns {said, offer}: their values, and a function that takes an answer's models. */
export function createModelForms(form, draws) {
  const both = ["A", "B"].map((name) => side(form.querySelector(`[data-side="${name}"]`), draws ? SAMPLING : []));
  return {
    said: () => ({ A: both[0].said(), B: both[1].said() }),
    offer({ models, chosen }) {
      if (models) both.forEach((each, i) => each.offer(models, chosen[i]));
    },
  };
}
