// A text and its origin, as in charrnn/ui/server/source_text.py.

export const GIVEN = "the text you typed or pasted";
const MAX_NAMED = 3; // models in one line

/** Return the text of a query's form, { text, origin, writers: [{ sha256, step }, …] }; null if it is blank. */
export function givenText({ text = "", origin: parts = null }) {
  if (!text.trim()) return null;
  return { text, ...(parts ? originOf(parts) : { origin: GIVEN, writers: [] }) };
}

/** Describe the origin of the parts [{ characters, chosen, writer }, …] of a text of the tab Write. */
function originOf(parts) {
  const written = new Map(); // description of a model -> number of characters
  const writers = new Map();
  let [given, chosen] = [0, 0];
  for (const part of parts) {
    chosen += part.chosen;
    if (!part.writer) {
      given += part.characters;
      continue;
    }
    const name = describeWriter(part.writer);
    const key = JSON.stringify([name, part.writer.sha256]);
    written.set(key, { name, characters: (written.get(key)?.characters ?? 0) + part.characters });
    writers.set(key, { sha256: part.writer.sha256, step: part.writer.step });
  }
  const phrases = given ? [`${grouped(given)} given`] : [];
  const models = [...written.values()];
  for (const { name, characters } of models.slice(0, MAX_NAMED)) phrases.push(`${grouped(characters)} written by ${name}`);
  const others = models.slice(MAX_NAMED).reduce((sum, { characters }) => sum + characters, 0);
  if (others) phrases.push(`${grouped(others)} by others`);
  if (chosen) phrases.push(`${grouped(chosen)} of them chosen by hand`);
  return { origin: models.length ? `the text of Write (${phrases.join("; ")})` : GIVEN, writers: [...writers.values()] };
}

function describeWriter({ title, step, settings }) {
  const { temperature, top_k, top_p, min_p } = settings;
  const filters = [["top-k", top_k], ["top-p", top_p % 1], ["min-p", min_p]].filter(([, value]) => value);
  return `${title}, step ${grouped(step)}, temperature ${temperature}` + filters.map(([name, value]) => `, ${name} ${value}`).join("");
}

/** Format a whole number with commas between thousands. */
export const grouped = (number) => number.toLocaleString("en");
