// Answers that the static page computes itself.

import { countCharacters } from "../components/code_points.js";
import { knownToAll, offeredModel } from "../components/offered_models.js";
import { page } from "../components/page_state.js";
import { provider } from "../session/page_session.js";
import { NEEDS_PYTHON } from "./kept_answers.js";
import { givenText, grouped } from "./source_text.js";
import { sourceMessage } from "./source_values.js";
import { clampCost, differenceAnswer } from "./surprisal.js";

const OTHER_TEXT = "This page keeps the answer for this text alone; “python app.py” in the project's folder computes it for any other.";
const MAX_COST_CHARS = 3500; // as in neurons/clamp.py

/** Functions by view: (query, the messages kept for it or null) -> the messages of an answer; see kept_answers.js. */
export const liveAnswers = {
  async *"gradients/saliency"({ form: { A, B, text: given } }, [{ sources, source_of: sourceOf, heat }]) {
    const at = sourceOf[A.checkpoint.name];
    const { text, origin } = sources[at];
    const both = [A, B].map(({ checkpoint: { name, step } }) => (step === offeredModel({ name }).steps.at(-1) ? heat[name][at] : null));
    if (both.includes(null)) throw new Error(NEEDS_PYTHON);
    const words = `${countCharacters(text)} characters of ${origin}.`;
    yield { words: given && given !== text ? `${words} ${OTHER_TEXT}` : words, targets: both[0].map((_, i) => i + 1), heat: both, text, figure: null };
  },

  async *"compare/surprisal_difference"(query, [{ sources, source_of: sourceOf, ...template }]) {
    const source = sources[sourceOf[query.form.A.checkpoint.name]];
    yield* differenceAnswer(provider, query, { models: page.models, source, ...template });
  },

  async *"neurons/clamp"({ checkpoint, form }, [template]) {
    const { shown, usual, last_step: lastStep } = template;
    const source = costText(form, checkpoint, template);
    const clamps = chosenClamps(form, template);
    const described = clamps.map((clamp) => ({ ...clamp, usual: usual[clamp.name].at(clamp.unit ?? -1).slice(1) }));
    const usualOf = shown.usual_of + (checkpoint.step === lastStep ? "" : ` At step ${grouped(lastStep)}.`);
    const cost = `Reading ${grouped(countCharacters(source.text))} characters …`;
    yield { words: "", figure: null, busy: true, cost, clamps: described, ...shown, usual_of: usualOf };
    yield { words: "", figure: null, ...(await clampCost(provider, checkpoint, clamps, source)) };
  },

  async *"under_the_hood/source_trace"(query, [template]) {
    yield template.blocks ? await sourceMessage(await provider.engineFor(), template, query) : template;
  },
};

/** Return the text that shows the cost of clamps, { text, origin, notice }: the given one, or the kept one. */
function costText(form, checkpoint, { text, origin, notice }) {
  const given = givenText(form);
  if (!given) return { text, origin, notice };
  const known = Array.from(knownToAll([offeredModel(checkpoint)], given.text).text);
  if (!known.length) throw new Error(`the model knows no character of ${given.origin}: give another text`);
  const cut = `Of its ${grouped(known.length)} characters the first ${grouped(MAX_COST_CHARS)} are read.`;
  return { text: known.slice(0, MAX_COST_CHARS).join(""), origin: given.origin, notice: known.length > MAX_COST_CHARS ? cut : "" };
}

/** Return the clamps of the form, else of the selected unit, else the default one; without a value they get the unit's mean. */
function chosenClamps({ clamps, neuron }, { usual, default: first }) {
  if (clamps?.length) return clamps.map((clamp) => ({ ...clamp, value: clamp.value ?? meanOf(usual, clamp) }));
  const selected = neuron && { name: neuron.view, unit: neuron.unit };
  return [selected && meanOf(usual, selected) !== undefined ? { ...selected, value: meanOf(usual, selected) } : first];
}

const meanOf = (usual, { name, unit }) => usual[name]?.at(unit ?? -1)?.[0];
