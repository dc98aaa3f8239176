// The models A and B of the tab, which its views compare.

import { createModelForms } from "../components/model_pair.js";
import { page } from "../components/page_state.js";

/** Set up the pickers, which take no answers. */
export function mount({ element }) {
  const form = element.querySelector("form");

  /** Announce the pair, and keep the models that differ from the default for links. */
  function announce() {
    const { A, B } = pair.values();
    page.compared = A.checkpoint && B.checkpoint && { A: A.checkpoint, B: B.checkpoint };
    for (const side of ["A", "B"]) {
      const { checkpoint } = pair.values()[side];
      if (pair.isDefault(side)) delete page.comparison[side.toLowerCase()];
      else page.comparison[side.toLowerCase()] = [checkpoint.name, checkpoint.step];
    }
    page.emit("pair-changed");
  }

  /** Choose the checkpoints of a link. */
  function applyLink() {
    for (const side of ["A", "B"]) {
      const [name, step] = page.comparison[side.toLowerCase()] ?? [];
      if (name) pair.choose(side, { name, step });
    }
    announce();
  }

  const pair = createModelForms(form, { changed: announce });
  form.addEventListener("change", announce);
  page.on("comparison-linked", applyLink);
  applyLink();
}
