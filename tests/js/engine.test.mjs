import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import * as math from "../../charrnn/ui/components/math.js";
import { Decoder } from "../../charrnn/ui/engine/decoder.js";
import { Engine } from "../../charrnn/ui/engine/engine.js";
import { KERNELS } from "../../charrnn/ui/engine/kernels.js";
import { Arena, hasSimd } from "../../charrnn/ui/engine/matvec_wasm.js";
import { PrefixCache } from "../../charrnn/ui/engine/prefix_cache.js";
import { readSafetensors } from "../../charrnn/ui/engine/safetensors.js";
import { countOf } from "../../charrnn/ui/engine/shapes.js";
import { UniformStream } from "../../charrnn/ui/engine/uniform_stream.js";
import { serve } from "../../charrnn/ui/engine/worker.js";
import { EngineProvider } from "../../charrnn/ui/session/engine_provider.js";
import { Session, Unreachable } from "../../charrnn/ui/session/session.js";
import { View } from "./fake_provider.mjs";

const ROOT = process.env.ENGINE_CASES; // written by tests/engine_cases.py
const json = (...parts) => JSON.parse(fs.readFileSync(path.join(ROOT, ...parts), "utf8"));
const bytes = (...parts) => new Uint8Array(fs.readFileSync(path.join(ROOT, ...parts))).buffer;
const NETWORKS = fs.readdirSync(ROOT).filter((name) => !name.includes("."));
const TOLERANCE = 1e-10;

function close(actual, expected, tolerance, what) {
  assert.equal(actual.length, expected.length, what);
  for (let k = 0; k < expected.length; k++) {
    const [one, other] = [actual[k], Number(expected[k])];
    const fine = Object.is(one, other) || one === other || Math.abs(one - other) <= tolerance * Math.max(1, Math.abs(other));
    assert.ok(fine, `${what}[${k}] is ${one}, not ${other}`);
  }
}

// ------------------------------------------------------------------ numbers

test("functions are within 1e-15 of the C library's", () => {
  for (const [name, sent, value, scale] of json("functions.json")) {
    const [actual, expected] = [math[name](...sent.map(Number)), Number(value)];
    if (Object.is(actual, expected) || actual === expected) continue;
    const error = Math.abs(actual - expected) / (scale ?? Math.max(Math.abs(expected), 2 ** -1022));
    assert.ok(error <= 1e-15, `${name}(${sent}) is ${actual}, not ${expected}`);
  }
});

test("kernels compute what numpy does", () => {
  for (const { op, params, inputs, out } of json("kernels.json")) {
    const tensors = inputs.map(({ data, shape }) => ({ data: Float64Array.from(data, Number), shape }));
    const result = { data: new Float64Array(countOf(out.shape)), shape: out.shape };
    const run = KERNELS[op](tensors, result, params);
    for (let again = 0; again < 2; again++) {
      run();
      close(result.data, out.data, 1e-13, `${op} ${JSON.stringify(params)} of ${JSON.stringify(inputs.map(({ shape }) => shape))}`);
    }
  }
});

test("draws are those of torch", () => {
  const streams = new Map();
  for (const [seed, index, value] of json("draws.json")) {
    if (!streams.has(seed)) streams.set(seed, new UniformStream(seed));
    assert.equal(streams.get(seed).at(index), value);
  }
});

test("the product in WebAssembly and in JavaScript have the same bits", () => {
  assert.ok(hasSimd());
  const drawn = (count, at) => Float32Array.from({ length: count }, (_, k) => math.sin(k * at + 1));
  for (const [rows, columns, times] of [[1, 1, 1], [16, 7, 1], [65, 24, 1], [40, 33, 1], [17, 5, 3]]) {
    const arena = new Arena(4 * Arena.arrayBytes(times * (rows + columns)) + Arena.matrixBytes(rows, columns));
    const [x, b, y, guard] = [columns * times, rows, rows * times, 1].map((count) => arena.array(count));
    x.set(drawn(columns * times, 0.7));
    b.set(drawn(rows, 0.3));
    guard[0] = 7;
    const W = { data: drawn(rows * columns, 1.1), shape: [rows, columns] };
    const [given, bias] = [{ data: x, shape: [times, columns] }, { data: b, shape: [rows] }];
    const plain = { data: new Float64Array(rows * times), shape: [times, rows] };
    KERNELS.linear([given, W, bias], plain, {})();
    KERNELS.linear([given, { ...W, product: arena.product(W.data, rows, columns) }, bias], { ...plain, data: y }, {})();
    assert.deepEqual([[...y], guard[0]], [[...plain.data], 7]);
  }
});

// ------------------------------------------------------------------ files

function safetensors(header, data = new Uint8Array(8)) {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  file.set(data, 8 + text.length);
  return file.buffer;
}

test("tensors of each type are read", () => {
  const data = new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff).buffer);
  const entry = (dtype) => ({ __metadata__: { a: "b" }, w: { dtype, shape: [2, 2], data_offsets: [0, 8] } });
  assert.deepEqual([...readSafetensors(safetensors(entry("F16"), data)).get("w").data], [1, -2, 2 ** -24, 65504]);
  const wide = new Uint8Array(Uint16Array.of(0x3f80, 0xc000, 0x4049, 0).buffer);
  assert.deepEqual([...readSafetensors(safetensors(entry("BF16"), wide)).get("w").data], [1, -2, 3.140625, 0]);
  const exact = { w: { dtype: "F64", shape: [], data_offsets: [0, 8] } };
  assert.deepEqual([...readSafetensors(safetensors(exact, new Uint8Array(Float64Array.of(0.1).buffer))).get("w").data], [0.1]);
});

test("files that do not fit are refused", () => {
  const entry = (change) => safetensors({ w: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...change } });
  for (const [file, words] of [
    [new ArrayBuffer(3), /3 bytes/],
    [safetensors("{"), /not JSON/],
    [safetensors("[]"), /not an object/],
    [safetensors({ w: null }), /w is undefined/],
    [entry({ dtype: "I64" }), /w is I64/],
    [entry({ dtype: "toString" }), /w is toString/],
    [entry({ shape: [3] }), /needs 12 of 8 bytes/],
    [entry({ shape: [-2] }), /no shape/],
    [entry({ data_offsets: [8, 16] }), /needs 8 of 8 bytes/],
    [entry({ data_offsets: [-8, 0] }), /no place/],
    [new Uint8Array(8).fill(255).buffer, /header has/],
  ]) {
    assert.throws(() => readSafetensors(file), words);
  }
});

// ------------------------------------------------------------------ networks

function same(decoder, ids, { logits, activations }) {
  ids.forEach((id, at) => {
    decoder.step(id);
    close(decoder.logits, logits[at], TOLERANCE, `logits at ${at}`);
    for (const [name, values] of Object.entries(activations)) close(decoder.activation(name), values[at], TOLERANCE, `${name} at ${at}`);
  });
}

for (const name of NETWORKS) {
  const expected = json(name, "expected.json");
  const graph = json(name, "graph.json");
  const weights = readSafetensors(bytes(name, "weights.safetensors"));
  const make = (options) => new Decoder(graph, weights, options);

  test(`${name}: logits and activations are Python's`, () => {
    for (const simd of [true, false]) same(make({ simd }), expected.ids, expected.outputs);
  });

  test(`${name}: nodes have Python's values`, () => {
    const decoder = make();
    expected.nodes.forEach((nodes, at) => {
      if (at % 3 === 1) return decoder.step(expected.ids[at]);
      const parts = Object.entries(nodes).map(([node, values]) => [Number(node), 0, values.length]);
      const found = decoder.values(expected.ids[at], parts);
      Object.entries(nodes).forEach(([node, values], k) => close(found[k], values, TOLERANCE, `node ${node} at ${at}`));
      close(decoder.logits, expected.outputs.logits[at], TOLERANCE, `logits at ${at}`);
    });
  });

  test(`${name}: a restored state continues the text`, () => {
    const decoder = make();
    const { logits } = expected.outputs;
    for (const split of [0, 3, 14, 30]) {
      decoder.restart();
      for (const id of expected.ids.slice(0, split)) decoder.step(id);
      const snapshot = decoder.snapshot();
      for (const id of [5, 6, 7]) decoder.step(id);
      decoder.restore(snapshot);
      if (split) close(decoder.logits, logits[split - 1], TOLERANCE, "logits");
      for (let at = split; at < 40; at++) close(decoder.step(expected.ids[at]), logits[at], TOLERANCE, `logits at ${at}`);
    }
  });

  test(`${name}: clamps apply and can be removed`, () => {
    const decoder = make();
    decoder.clamp(expected.clamps);
    same(decoder, expected.ids.slice(0, 60), expected.clamped);
    decoder.clamp([]);
    decoder.restart();
    same(decoder, expected.ids.slice(0, 60), expected.outputs);
    assert.throws(() => decoder.clamp([{ name: "other", unit: 0, value: 0 }]), /other cannot be clamped/);
    if (graph.activations.before) assert.throws(() => decoder.clamp([{ name: "before", unit: 0, value: 0 }]), /does not compute it/);
    assert.throws(() => decoder.clamp([{ ...expected.clamps[0], unit: 4000 }]), /the unit is 4000/);
  });

  if (expected.factor) {
    test(`${name}: W_hh is scaled`, () => {
      same(make({ factors: { "cell.W_hh.weight": expected.factor } }), expected.ids.slice(0, 60), expected.scaled);
    });

    test(`${name}: single steps of a chaotic network are Python's`, () => {
      const decoder = make({ factors: { "cell.W_hh.weight": expected.chaotic_factor } });
      for (const { before, id, logits, activations } of expected.chaotic_steps) {
        decoder.restore({ state: before.state.map((values) => Float64Array.from(values)), logits: before.logits });
        decoder.step(id);
        close(decoder.logits, logits, 1e-12, "logits");
        for (const [which, values] of Object.entries(activations)) close(decoder.activation(which), values, 1e-12, which);
      }
    });
  }

  test(`${name}: texts are Python's`, async () => {
    const engine = engineOf();
    for (const { settings, text, logits } of expected.texts) {
      const piece = await engine.continue(request(name, { ...settings, count: 300 }));
      assert.equal(piece.text, expected.prompt + text);
      close(piece.logits.slice(-logits.length), logits, 1e-6, "logits");
      assert.deepEqual(piece.draws.slice(0, 12), [...Array(11).fill(null), new UniformStream(settings.seed).at(0)]);
    }
    const more = [[expected.clamped_text, { clamps: expected.clamps }], [expected.edited_text, {}]];
    if (expected.factor) more.push([expected.scaled_text, { recurrent_scale: expected.factor }]);
    for (const [{ settings, text }, change] of more) {
      assert.equal((await engine.continue(request(name, { ...settings, ...change, count: 300 }))).text, expected.prompt + text);
    }
  });
}

test("a network that the page cannot run is refused", () => {
  const [graph, weights] = [json("rnn", "graph.json"), readSafetensors(bytes("rnn", "weights.safetensors"))];
  const changed = (change) => new Decoder({ ...graph, ...change }, weights);
  assert.throws(() => changed({ format: 2 }), /format 2/);
  assert.throws(() => changed({ nodes: graph.nodes.map((node) => (node.op === "tanh" ? { ...node, op: "fft" } : node)) }), /cannot compute fft \(cells.py/);
  assert.throws(() => new Decoder(graph, new Map()), /no embed.weight/);
  assert.throws(() => new Decoder(graph, new Map(weights).set("embed.weight", { data: new Float32Array(3), shape: [3] })), /embed.weight has 3 numbers/);
});

// ------------------------------------------------------------------ texts

async function network(checkpoint) {
  const name = checkpoint?.name ?? "gru";
  if (name === "away") throw new Unreachable("away");
  const { characters } = json("gru", "expected.json");
  const graph = json(name, "graph.json");
  const views = Object.keys(graph.activations);
  const model = { name, title: name, step: 40, views, characters, sha256: name };
  return { graph, weights: bytes(name, "weights.safetensors"), model, views: Object.fromEntries(views.map((view) => [view, { name: view, rows: 3 }])) };
}

const engineOf = (counts = { loads: 0 }) => new Engine((checkpoint) => {
  counts.loads += 1;
  return network(checkpoint);
});
const { prompt: PROMPT, characters: CHARACTERS } = json("gru", "expected.json");
const SETTINGS = { temperature: 0.8, top_k: 0, top_p: 1, min_p: 0 };
const request = (name, change) => ({
  ...SETTINGS, clamps: [], recurrent_scale: 1, checkpoint: { name, step: 40 }, view: "", seed: 7, prompt: PROMPT.length, text: PROMPT, edits: [], start: 0, count: 0, ...change,
});

test("a text in pieces is the text at once, from a cached state or from none", async () => {
  for (const name of NETWORKS) {
    const clamps = [{ name: json(name, "expected.json").clamps[0].name, unit: 1, value: 0.2 }];
    const engine = engineOf();
    const whole = await engineOf().continue(request(name, { count: 120, clamps }));
    let text = PROMPT;
    const [columns, logits] = [[], []];
    for (const count of [1, 40, 79]) {
      const start = text === PROMPT ? 0 : text.length;
      const piece = await engine.continue(request(name, { text, start, count, clamps }));
      text = (start ? text : "") + piece.text;
      columns.push(...piece.columns);
      logits.push(...piece.logits);
      if (count === 40) engine.prefixes = new PrefixCache(0);
    }
    assert.equal(text, whole.text);
    assert.deepEqual(columns, [...whole.columns]);
    assert.deepEqual(logits, [...whole.logits]);
  }
});

test("a long text is read a thousand characters at a time", async () => {
  const engine = engineOf();
  const text = Array.from({ length: 2300 }, (_, k) => CHARACTERS[(k * k) % CHARACTERS.length]).join("");
  const read = [];
  for (const start of [0, 1000, 2000]) {
    const piece = await engine.read(request("lstm", { text, prompt: 2300, start, count: 5 }));
    assert.deepEqual(piece.draws.slice(0, -1), Array(piece.draws.length - 1).fill(null));
    read.push(piece);
  }
  assert.equal(read.map((piece) => piece.text).join(""), text);
  assert.equal(read[2].draws.at(-1), new UniformStream(7).at(0));
  const end = await engineOf().read(request("lstm", { text, prompt: 2300, start: 2300 }));
  assert.deepEqual([end.text, end.columns.length], ["", 0]);
});

test("the first answer describes the model and drops unknown characters", async () => {
  const counts = { loads: 0 };
  const engine = engineOf(counts);
  const piece = await engine.continue(request("gru", { text: "a😀bé", prompt: 3, view: "f", count: 1 }));
  assert.equal(piece.known, "ab");
  assert.equal(piece.prompt, 2);
  assert.equal(piece.view.name, "z"); // does in this cell what f does in another
  assert.equal(piece.columns.length, 3 * 23);
  assert.equal(piece.startLogits.length, CHARACTERS.length);
  assert.equal(piece.notice.text, "Skipped 2 characters the network does not know: “😀”, “é”");
  const empty = await engine.continue(request("gru", { text: "", prompt: 0 }));
  assert.deepEqual([empty.text, empty.startDraw, empty.known, empty.notice], ["", new UniformStream(7).at(0), null, null]);
  assert.equal(counts.loads, 1);
});

test("wrong calls are refused, and the next one is answered", async () => {
  const engine = engineOf();
  const refused = (name, change, words) => assert.rejects(engine.continue(request(name, { count: 1, ...change })), words);
  await refused("gru", { start: 99 }, /start is 99: give 0 to 12/);
  await refused("gru", { start: 3, text: "abcé", prompt: 4 }, /does not know the character 'é' at position 3/);
  await refused("gru", { clamps: [{ name: "h", unit: 0, value: 2 }] }, /the value of h is 2: give -1 to 1/);
  await refused("gru", { clamps: [{ name: "h", unit: 0, value: null }] }, /the value of h is null/);
  await refused("gru", { clamps: [{ name: "i", unit: 0, value: 0 }] }, /i cannot be clamped/);
  await refused("minigpt", { recurrent_scale: 1.2 }, /no recurrent weights/);
  await refused("away", {}, /away/);
  assert.equal((await engine.continue(request("gru", { count: 5 }))).text.length, 17);
});

test("an aborted call ends, and the next one is answered", async () => {
  const engine = engineOf();
  const controller = new AbortController();
  const long = engine.continue(request("minigpt", { count: 100_000 }), controller.signal);
  const next = engine.continue(request("minigpt", { count: 3 }));
  setTimeout(() => controller.abort(), 50);
  await assert.rejects(long, { name: "AbortError" });
  assert.equal((await next).text.length, 15);
});

test("the least recently used prefixes go first", () => {
  const cache = new PrefixCache(100);
  const entry = (bytes) => ({ bytes });
  cache.put("a", "12", 2, entry(40));
  cache.put("a", "1234", 4, entry(40));
  assert.equal(cache.longest("a", "12345", 3).length, 2);
  cache.put("b", "1", 1, entry(30));
  assert.equal(cache.longest("a", "12345", 5).length, 2); // "1234" had not been used
  assert.equal(cache.longest("a", "13", 2), null);
  assert.equal(cache.bytes, 76);
});

test("a session writes through the worker's messages what the engine writes", async () => {
  const { port1, port2 } = new MessageChannel();
  serve(port1);
  const provider = new EngineProvider(port2, network);
  for (const port of [port1, port2]) port.start();
  try {
    const session = new Session(provider);
    session.checkpoint = { name: "lstm", step: 40 };
    session.speed = 0;
    const view = new PlainView(session);
    await session.write({ prompt: PROMPT, seed: 7, characters: 300 });
    assert.equal(view.text, PROMPT + json("lstm", "expected.json").texts[0].text);
    assert.equal(session.state, "finished");
    await session.choose({ name: "nothing" });
    assert.match(session.notice.text, /no such file/i);
    const controller = new AbortController();
    const long = provider.continue(request("minigpt", { count: 100_000 }), controller.signal);
    setTimeout(() => controller.abort(), 50);
    await assert.rejects(long, /abort/i);
    await assert.rejects(provider.read(request("away", {})), Unreachable);
  } finally {
    for (const port of [port1, port2]) port.close();
  }
});

test("calls of a worker that has failed are refused", async () => {
  const worker = Object.assign(new EventTarget(), { postMessage: () => {} });
  const provider = new EngineProvider(worker, network);
  const waiting = assert.rejects(provider.read(request("gru", {})), /cannot run/);
  worker.dispatchEvent(new Event("error"));
  await waiting;
  await assert.rejects(provider.read(request("gru", {})), /cannot run/);
});

/** A view that keeps the characters alone. */
class PlainView extends View {
  receive(message) {
    super.receive({ ...message, columns: [] });
  }
}
