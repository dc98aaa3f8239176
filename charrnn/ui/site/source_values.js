// The message of the source trace, computed in the page from a template (charrnn/ui/under_the_hood/source_template.py).

import { encodeArray } from "../components/base64.js";
import { sized } from "../engine/decoder.js";

/**
 * Answer a query of the source trace, as under_the_hood/source_trace.py does.
 *
 * engine: an EngineProvider; its `values` computes the numbers. query: as view_query.js sends it. Rejects an unknown character.
 */
export async function sourceMessage(engine, template, { number, checkpoint, form: { text } }) {
  if (!text) return { number, words: template.no_text };
  const { diagram, units, layer, layers, context } = template;
  const blocks = structuredClone(template.blocks);
  const values = blocks.flatMap((block) => block.lines).flatMap((line) => line.values);
  const computed = values.filter((value) => Array.isArray(value.numbers));
  const { numbers } = await engine.values({ checkpoint, text, parts: computed.map((value) => value.numbers) });
  let start = 0;
  for (const value of computed) {
    const end = start + value.numbers[2];
    value.numbers = encodeArray(numbers.subarray(start, end));
    start = end;
  }
  const full = context === null ? null : context - 1;
  const length = full === null ? 0 : Math.min(full, Array.from(text).length - 1); // of the cache before the last character
  for (const value of values) value.shape = sized(value.shape, length, full);
  return { number, words: template.words.replace("{step}", checkpoint.step.toLocaleString("en")), blocks, diagram, units, layer, layers };
}
