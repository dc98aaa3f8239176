// Reads characters with the page's engine: { file, ids } on stdin -> { logits, activations } after each, as JSON on stdout.

import { readFile } from "node:fs/promises";
import { text as all } from "node:stream/consumers";
import { Decoder } from "../../charrnn/ui/engine/decoder.js";
import { readSafetensors } from "../../charrnn/ui/engine/safetensors.js";
import { partsOf } from "../../charrnn/ui/session/page_provider.js";

const { file, ids } = JSON.parse(await all(process.stdin));
const bytes = await readFile(file);
const { graph, weights } = partsOf(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
const decoder = new Decoder(graph, readSafetensors(weights));
const outputs = ids.map((id) => {
  decoder.step(id);
  return { logits: [...decoder.logits], activations: Object.fromEntries(decoder.names.map((name) => [name, [...decoder.activation(name)]])) };
});
console.log(JSON.stringify(outputs));
