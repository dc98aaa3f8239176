// The models on offer (page.models): their titles and characters.

import { counted } from "./number_format.js";
import { page, quoted } from "./page_state.js";

const MAX_NAMED = 5; // characters in a notice

export const offeredModel = ({ name }) => page.models.find((model) => model.name === name);

/** Return the title of a checkpoint, with its training step unless it is the last. */
export function titleOf(checkpoint) {
  const { title, steps } = offeredModel(checkpoint);
  return checkpoint.step === steps.at(-1) ? title : `${title}, step ${checkpoint.step.toLocaleString("en")}`;
}

/** Drop characters that a model does not know: { text, notice }. */
export function knownToAll(models, text) {
  const vocabularies = models.map(({ vocabulary }) => new Set(Array.from(vocabulary)));
  const isKnown = (character) => vocabularies.every((vocabulary) => vocabulary.has(character));
  const dropped = Array.from(text).filter((character) => !isKnown(character));
  if (!dropped.length) return { text, notice: "" };
  const kinds = [...new Set(dropped)];
  const named = kinds.slice(0, MAX_NAMED).map(quoted).join(", ") + (kinds.length > MAX_NAMED ? ", …" : "");
  return { text: Array.from(text).filter(isKnown).join(""), notice: `Skipped ${counted(dropped.length)} that one of the two networks does not know: ${named}.` };
}
