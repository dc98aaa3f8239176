// Finds the models that generated a text of the tab Write, even if it was pasted into another view.

import { countCharacters } from "./code_points.js";
import { page } from "./page_state.js";

const MIN_CHARS = 20; // shorter excerpts can match by chance
const MAX_CACHED = 32;
const cache = new Map(); // text -> parts, since a text has the same origin after the text on Write has changed

/** Return the parts [{characters, writer, chosen}, …] of a text as source_text.py parses them; null if no model generated it. */
export function findOrigin(text) {
  const { record, text: written = "" } = page.live || {};
  if (!text || !record) return null;
  const offset = written.indexOf(text);
  if (offset >= 0 && (text === written || countCharacters(text) >= MIN_CHARS)) {
    const from = countCharacters(written.slice(0, offset));
    const parts = record.parts(from, from + countCharacters(text));
    if (parts.some(({ writer }) => writer)) cache.set(text, parts);
    if (cache.size > MAX_CACHED) cache.delete(cache.keys().next().value);
  }
  return cache.get(text) ?? null;
}
