// Finds the models that generated a text of the tab Write, even if it was pasted into another view.

import { countOf } from "./code_points.js";
import { page } from "./page_state.js";

const MIN_CHARS = 20; // characters; shorter texts can match by chance
const MAX_CACHED = 32;
const known = new Map(); // text -> parts: texts keep their origin after the text on Write changes

/** [{characters, writer, chosen}, …] as source_text.py parses it; null if no model here generated it. */
export function findOrigin(text) {
  const { record, text: whole = "" } = page.live || {};
  if (!text || !record) return null;
  const at = whole.indexOf(text);
  if (at >= 0 && (text === whole || countOf(text) >= MIN_CHARS)) {
    const from = countOf(whole.slice(0, at));
    const parts = record.parts(from, from + countOf(text));
    if (parts.some(({ writer }) => writer)) known.set(text, parts);
    if (known.size > MAX_CACHED) known.delete(known.keys().next().value);
  }
  return known.get(text) ?? null;
}
