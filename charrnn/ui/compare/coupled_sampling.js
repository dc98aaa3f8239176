// Two texts sampled with common random numbers, side by side, with their first difference.

import { knownToAll, offeredModel, titleOf } from "../components/offered_models.js";
import { page } from "../components/page_state.js";
import { createCoupledTexts, writerOf } from "../session/coupled_view.js";
import { isEqual, MAX_SEED } from "../session/session.js";

const SIGNS = { temperature: "T", top_k: "k", top_p: "p" };
const OFF = { top_k: 0, top_p: 1 };

/** Name the settings that differ from the other ones, except filters that are off. */
function describeSettings(own, other) {
  const names = Object.keys(SIGNS).filter((name) => own[name] !== other[name] && own[name] !== OFF[name]);
  return names.map((name) => `, ${SIGNS[name]} = ${own[name]}`).join("");
}

/** Set up the view. Its form fields have the names of link parameters. */
export function mount({ element }) {
  const form = element.querySelector("form");
  const { ab_seed: seed, ab_characters: characters, ab_prompt: prompt } = form.elements;
  const fold = element.querySelector("details");
  const fields = [...form.elements].filter(({ name }) => name);

  /** Return the settings of a side; an empty filter is off. */
  function settingsOf(side) {
    const value = (name) => form.elements[`${side}_${name}`].valueAsNumber;
    return { temperature: value("temperature"), top_k: value("top_k") || 0, top_p: value("top_p") || 1, min_p: 0 };
  }

  function request() {
    if (!page.compared) return null;
    const { A, B } = page.compared;
    const models = [A, B].map(offeredModel);
    ["a", "b"].forEach((side, i) => (form.elements[`${side}_top_k`].max = models[i].characters));
    const isDefault = prompt.value === prompt.defaultValue;
    if (isDefault) prompt.value = prompt.defaultValue = models[0].prompt;
    const { text, notice } = knownToAll(models, prompt.value);
    const [a, b] = ["a", "b"].map(settingsOf);
    const sides = [[A, a], [B, b]];
    const isOne = isEqual(A, B);
    return {
      writers: sides.map(([checkpoint, settings]) => writerOf(checkpoint, settings)),
      prompt: text,
      seed: seed.valueAsNumber,
      characters: characters.valueAsNumber,
      titles: [`A · ${titleOf(A)}${isOne ? describeSettings(a, b) : ""}`, `B · ${titleOf(B)}${isOne ? describeSettings(b, a) : ""}`],
      notice: isDefault ? "" : notice,
      whyIdentical: isEqual(...sides) ? "the same network with the same settings and random numbers" : "no random number fell where they differ",
    };
  }

  const texts = createCoupledTexts({ element, request });

  /** Generate the texts again with the values of the form, unless one is invalid. */
  function ask() {
    if (form.checkValidity()) return texts.ask();
    fold.open = true;
    form.reportValidity();
  }

  /** Generate the texts again, and keep the values that differ from the default for links. */
  function change() {
    for (const { name, value, defaultValue } of form.checkValidity() ? fields : []) {
      if (value === defaultValue) delete page.comparison[name];
      else page.comparison[name] = value;
    }
    ask();
  }

  /** Show the values of a link; the other inputs stay. */
  function applyLink() {
    for (const input of fields.filter(({ name }) => name in page.comparison)) {
      fold.open = true;
      input.value = page.comparison[input.name];
    }
    change();
  }

  form.addEventListener("change", change);
  form.addEventListener("submit", change);
  page.on("pair-changed", ask);
  page.on("comparison-linked", () => {
    form.reset();
    applyLink();
  });
  applyLink(); // without a reset: what was typed before this module loaded stays
  element.querySelector(".cr-new-numbers").addEventListener("click", () => {
    seed.value = ((seed.valueAsNumber || 0) + 1) % (MAX_SEED + 1);
    change();
  });
}
