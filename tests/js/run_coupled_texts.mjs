// Writes pairs of texts with the page's engine: { files, requests } on stdin -> the last result of each, as JSON on stdout.
// files: name of a checkpoint -> file of its network.

import { readFile } from "node:fs/promises";
import { text as all } from "node:stream/consumers";
import { Engine } from "../../charrnn/ui/engine/engine.js";
import { coupledTexts } from "../../charrnn/ui/session/coupled_texts.js";
import { partsOf } from "../../charrnn/ui/session/page_provider.js";

const { files, requests } = JSON.parse(await all(process.stdin));
const engine = new Engine(async ({ name }) => {
  const bytes = await readFile(files[name]);
  return partsOf(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
});

async function last(request) {
  let result = null;
  for await (result of coupledTexts(engine, request, new AbortController().signal));
  return result;
}

const results = [];
for (const request of requests) results.push(await last(request).catch((error) => ({ error: error.message })));
console.log(JSON.stringify(results));
