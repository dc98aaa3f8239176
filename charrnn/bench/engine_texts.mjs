// Writes texts with the page's engine: { files: { name: path of a network's file }, seeds, characters, settings, prompt, clamps,
// scale, compared } on stdin; per network the texts, the CPU seconds, and logits and activations at each of the first `compared`
// characters of the first text, as JSON on stdout.

import { readFile } from "node:fs/promises";
import { text as all } from "node:stream/consumers";
import { Decoder } from "../ui/engine/decoder.js";
import { Engine } from "../ui/engine/engine.js";
import { readSafetensors } from "../ui/engine/safetensors.js";
import { partsOf } from "../ui/session/page_provider.js";

const { files, seeds, characters, settings, prompt, clamps, scale, compared } = JSON.parse(await all(process.stdin));
const PIECE = 1000;

async function write(engine, name, seed, characters) {
  let text = prompt;
  const given = Array.from(prompt).length;
  for (let written = 0; written < characters; written += PIECE) {
    const start = written ? given + written : 0;
    const count = Math.min(PIECE, characters - written);
    const request = { ...settings, checkpoint: { name }, text, prompt: given, start, count, seed, edits: [], clamps, recurrent_scale: scale, view: "" };
    const piece = await engine.continue(request);
    text = start ? text + piece.text : piece.text;
  }
  return text;
}

/** Logits and activations at each character of a text, every one clamped. */
function outputs({ graph, weights, model }, text) {
  const decoder = new Decoder(graph, readSafetensors(weights), { factors: scale === 1 ? {} : { "cell.W_hh.weight": scale } });
  decoder.clamp(clamps);
  const found = { logits: [], activations: Object.fromEntries(decoder.names.map((name) => [name, []])) };
  const ids = new Map(Array.from(model.characters, (character, id) => [character, id]));
  for (const character of text) {
    found.logits.push([...decoder.step(ids.get(character))]);
    for (const name of decoder.names) found.activations[name].push([...decoder.activation(name)]);
  }
  return found;
}

const results = {};
for (const [name, path] of Object.entries(files)) {
  const bytes = await readFile(path);
  const parts = partsOf(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const engine = new Engine(async () => parts);
  await write(engine, name, 0, 100); // compiled, and the characters' tables filled
  const before = process.cpuUsage();
  const texts = [];
  for (const seed of seeds) texts.push(await write(engine, name, seed, characters));
  const { user, system } = process.cpuUsage(before);
  results[name] = { texts, seconds: (user + system) / 1e6, ...outputs(parts, Array.from(texts[0]).slice(0, compared)) };
}
console.log(JSON.stringify(results));
