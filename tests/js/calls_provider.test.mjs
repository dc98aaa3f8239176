import assert from "node:assert/strict";
import { test } from "node:test";
import { CallsProvider } from "../../charrnn/ui/session/calls_provider.js";
import { Busy, Unreachable } from "../../charrnn/ui/session/session.js";

const base64 = (array) => Buffer.from(array.buffer).toString("base64");
const providerOf = (status, body) => new CallsProvider("x", async () => new Response(JSON.stringify(body), { status }));
const ANSWER = { text: "é", draws: [0.25], columns: base64(new Uint16Array([0, 0x8000, 0x3c00, 0xc000, 0x0001, 0x7bff])), logits: base64(new Float32Array([1, -2.5])) };

test("half-precision columns and float32 logits are decoded", async () => {
  const piece = await providerOf(200, { data: [ANSWER] }).continue({ start: 1 });
  assert.deepEqual([...piece.columns], [0, -0, 1, -2, 2 ** -24, 65504]);
  assert.deepEqual([...piece.logits], [1, -2.5]);
  assert.deepEqual([piece.text, piece.draws], ["é", [0.25]]);
});

test("busy, unreachable and invalid are different errors", async () => {
  await assert.rejects(providerOf(200, { data: [{ busy_ms: 70 }] }).read({}), (error) => error instanceof Busy && error.milliseconds === 70);
  for (const status of [502, 503, 504]) await assert.rejects(providerOf(status, {}).read({}), Unreachable);
  await assert.rejects(new CallsProvider("x", async () => { throw new TypeError("fetch failed"); }).read({}), Unreachable);
  await assert.rejects(new CallsProvider("x", async () => new Response("<html>")).read({}), Unreachable);
  await assert.rejects(providerOf(200, { data: [{ error: "seed is -1: give …" }] }).read({}), /seed is -1/);
  await assert.rejects(providerOf(413, { detail: "the body has more than 262144 bytes" }).read({}), /more than 262144/);
});

/** A response whose pieces arrive `pause` milliseconds apart; `ends`: else the last one never arrives. */
const slowly = (body, pause, ends) => async (url, { signal }) => {
  const pieces = JSON.stringify(body).match(/.{1,20}/g);
  const send = (controller) => {
    const piece = pieces.shift();
    if (piece && (ends || pieces.length)) controller.enqueue(new TextEncoder().encode(piece));
    if (pieces.length) setTimeout(send, pause, controller);
    else if (ends) controller.close();
  };
  return new Response(new ReadableStream({ start(controller) {
    signal.addEventListener("abort", () => controller.error(signal.reason));
    send(controller);
  } }));
};

test("a silent connection is unreachable, a slow one is not", async () => {
  const slow = new CallsProvider("x", slowly({ data: [ANSWER] }, 20, true), 120);
  assert.equal((await slow.continue({ start: 1 })).text, "é");
  await assert.rejects(new CallsProvider("x", slowly({ data: [ANSWER] }, 1, false), 50).read({}), Unreachable);
  const hanging = (url, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  await assert.rejects(new CallsProvider("x", hanging, 50).read({}), Unreachable);
  const [controller, reason] = [new AbortController(), new Error("another action")];
  const call = new CallsProvider("x", hanging, 60_000).read({}, controller.signal);
  controller.abort(reason);
  await assert.rejects(call, reason);
});
