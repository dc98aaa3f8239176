// Controls whose answers only Python computes: in an edition without it they are disabled, and a line says so.

import { create } from "./create_element.js";
import { edition } from "./edition.js";

/** Disable these controls if this edition has no Python, and add a notice before `place`. words: the notice, by default the edition's. */
export function requirePython(controls, place, words = edition.needsPython) {
  if (!edition.needsPython) return;
  for (const control of controls) control.disabled = true;
  place.before(create("p", "cr-needs-python", words));
}
