// Answers queries about surprisals with the page's engine: { files, template, models, queries, clamps, texts } on stdin
// -> { answers: the messages of each query, costs, kinds } as JSON on stdout. files: by name and step of the checkpoint.

import { readFile } from "node:fs/promises";
import { text as all } from "node:stream/consumers";
import "./browser_globals.mjs";
import { Engine } from "../../charrnn/ui/engine/engine.js";
import { partsOf } from "../../charrnn/ui/session/page_provider.js";

const { KINDS, kinds } = await import("../../charrnn/ui/site/char_classes.js");
const { clampCost, differenceAnswer } = await import("../../charrnn/ui/site/surprisal.js");
const { files, template, models, queries, clamps, texts } = JSON.parse(await all(process.stdin));
const engine = new Engine(async ({ name, step }) => {
  const bytes = await readFile(files[`${name} ${step}`]);
  return partsOf(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
});

async function answer(query) {
  const { sources, source_of: sourceOf, records, empty } = template;
  const messages = [];
  const source = sources[sourceOf[query.form.A.checkpoint.name]];
  for await (const message of differenceAnswer(engine, query, { models, source, records, empty })) messages.push(message);
  return messages;
}

const answers = [];
for (const query of queries) answers.push(await answer(query).catch((error) => [{ error: error.message }]));
const costs = [];
for (const { checkpoint, clamps: applied, ...source } of clamps) costs.push(await clampCost(engine, checkpoint, applied, source));
console.log(JSON.stringify({ answers, costs, kinds: texts.map((text) => kinds(text).map((kind) => KINDS[kind])) }));
