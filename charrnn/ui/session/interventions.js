// The line that names the interventions of the text, with a button to remove them.

import { NO_INTERVENTIONS } from "./session.js";
import { session } from "./page_session.js";

const MAX_EQUAL_SCALE = 1.2; // beyond, rounding errors grow from character to character
const CHAOS = `: beyond × ${MAX_EQUAL_SCALE} the last digit of a sum decides, so this text can differ from the one that Python writes.`;

/** Describe a clamp. */
export const clampName = ({ name, unit, value }) => `${name} of ${unit === null ? "every unit" : "unit " + unit} = ${value}`.replace("-", "−");

/** Show the line in a box with a span and a button. */
export function showInterventions(box) {
  box.querySelector("button").addEventListener("click", () => session.rewrite({ interventions: NO_INTERVENTIONS }));
  session.onMessage(() => {
    const { clamps, recurrent_scale: scale } = session.interventions;
    const parts = [...clamps.map(clampName), ...(scale === 1 ? [] : [`W_hh × ${scale}`])];
    box.hidden = !parts.length;
    box.querySelector("span").textContent = "Written with " + parts.join(", ") + (scale > MAX_EQUAL_SCALE ? CHAOS : "");
  });
}

/** Regenerate the text with the same draws, and these interventions besides the others. */
export function writeWith(interventions) {
  if (!session.length) return undefined;
  return session.rewrite({ interventions: { ...session.interventions, ...interventions } });
}
