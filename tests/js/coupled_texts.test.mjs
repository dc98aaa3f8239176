// Two coupled texts with a provider that is busy, unreachable or aborted.

import assert from "node:assert/strict";
import { test } from "node:test";

import { coupledTexts } from "../../charrnn/ui/session/coupled_texts.js";
import { expected, FakeProvider } from "./fake_provider.mjs";

const writer = (name, more = {}) => ({ checkpoint: { name, step: null }, temperature: 0.8, top_k: 0, top_p: 1, min_p: 0, ...more });
const request = (more = {}) => ({ writers: [writer("a"), writer("b")], prompt: "abc", seed: 5, characters: 250, ...more });
const textOf = (name, n = 250) => expected("abc", n, { ...writer(name), seed: 5 }).slice(3);

async function all(results) {
  const found = [];
  for await (const result of results) found.push(result);
  return found;
}

test("texts grow piece by piece, and their first difference stays", async () => {
  const { signal } = new AbortController();
  const found = await all(coupledTexts(new FakeProvider(), request(), signal));
  const [a, b] = [textOf("a"), textOf("b")].map((text) => Array.from(text));
  assert.deepEqual(found.map(({ texts }) => Array.from(texts[0]).length), [100, 200, 250]);
  assert.deepEqual(found.at(-1).texts, [a.join(""), b.join("")]);
  const at = a.findIndex((character, i) => character !== b[i]);
  for (const { divergence } of found) assert.deepEqual([divergence.at, divergence.sides.map(({ drawn }) => drawn.character)], [at, [a[at], b[at]]]);
});

test("calls are repeated while the provider is busy or unreachable", async () => {
  const provider = new FakeProvider();
  provider.faults = ["busy", "away", "away"];
  const pauses = [];
  const found = await all(coupledTexts(provider, request(), new AbortController().signal, async (milliseconds) => pauses.push(milliseconds)));
  assert.deepEqual(found.at(-1).texts, [textOf("a"), textOf("b")]);
  assert.deepEqual(pauses.sort((x, y) => x - y), [10, 500, 1000].slice(0, pauses.length));
  assert.ok(pauses.length === 3);
});

test("an error of the request ends the texts", async () => {
  const provider = new FakeProvider();
  provider.faults = ["the logits are not finite"];
  await assert.rejects(all(coupledTexts(provider, request(), new AbortController().signal)), /not finite/);
});

test("an aborted request calls no more and yields no more", async () => {
  const provider = new FakeProvider();
  const controller = new AbortController();
  const results = coupledTexts(provider, request(), controller.signal);
  await results.next();
  const { length } = provider.calls;
  controller.abort();
  await assert.rejects(results.next());
  assert.ok(provider.calls.length <= length + 2);
});
