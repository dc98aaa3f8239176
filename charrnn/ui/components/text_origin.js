// Which networks wrote a text that a view is asked about: one that came from the tab Write, by its button or by hand.

import { countOf } from "./code_points.js";
import { page } from "./page_state.js";

const SHORTEST = 20; // characters: fewer can be alike by chance
const MOST_KEPT = 32;
const known = new Map(); // text -> parts: it keeps its origin when something else stands on Write

/** [{characters, writer, chosen}, …] as source_text.py reads it; null for a text that no network here wrote. */
export function originOf(text) {
  const { record, text: whole = "" } = page.live || {};
  if (!text || !record) return null;
  const at = whole.indexOf(text);
  if (at >= 0 && (text === whole || countOf(text) >= SHORTEST)) {
    const from = countOf(whole.slice(0, at));
    const parts = record.parts(from, from + countOf(text));
    if (parts.some(({ writer }) => writer)) known.set(text, parts);
    if (known.size > MOST_KEPT) known.delete(known.keys().next().value);
  }
  return known.get(text) ?? null;
}
