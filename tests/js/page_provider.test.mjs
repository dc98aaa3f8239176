// Which provider answers the calls of a page: the server, or the engine in the page.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PageProvider } from "../../charrnn/ui/session/page_provider.js";

const RNN = { name: "rnn", step: null };
const MODEL = { name: "rnn", step: 2000, sha256: "ab" };
const request = (more = {}) => ({ checkpoint: RNN, start: 0, count: 1, clamps: [], ...more });
const settled = () => new Promise((resolve) => setTimeout(resolve));

/** A network's file with its metadata and no tensors. */
function file(metadata) {
  const header = new TextEncoder().encode(JSON.stringify({ __metadata__: { network: JSON.stringify(metadata) } }));
  const bytes = new Uint8Array(8 + header.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  return bytes.buffer;
}

/** A provider with a fake server and a fake engine; `log` lists which answered. */
function provider({ status = 200, simd = true, ready = Promise.resolve() } = {}) {
  const log = [];
  const runners = [];
  const made = { log, runners, addresses: [], forgotten: 0, status, ready };
  const answers = (who) => async ({ start }) => {
    log.push(who);
    return start === 0 ? { who, model: MODEL } : { who };
  };
  const calls = { read: answers("server"), continue: answers("server") };
  const startEngine = (load) => {
    made.load = load;
    made.engine = { read: answers("page"), continue: answers("page"), forget: () => (made.forgotten += 1), ready: made.ready };
    return made.engine;
  };
  const fetchFile = async (address) => {
    made.addresses.push(address);
    if (made.status === 0) throw new TypeError("no network");
    const contents = file({ graph: { format: 1 }, model: MODEL, views: { h: {} } });
    return { status: made.status, ok: made.status === 200, text: async () => "its weights take 40 MB, more than 16", arrayBuffer: async () => contents };
  };
  const onRunner = (runner, checkpoint) => {
    made.checkpoint = checkpoint;
    if (JSON.stringify(runner) !== JSON.stringify(runners.at(-1))) runners.push(runner);
  };
  made.provider = new PageProvider(calls, simd ? startEngine : null, fetchFile, onRunner);
  return made;
}

test("the server writes until the network is there, then the page", async () => {
  const made = provider();
  await made.provider.continue(request());
  assert.equal(await made.provider.engineFor({ name: "gru", step: null }), null);
  assert.ok(await made.provider.engineFor(RNN));
  await settled();
  await made.provider.continue(request({ start: 5 }));
  await made.provider.read(request({ count: 0 }));
  assert.deepEqual(made.log, ["server", "page", "page"]);
  assert.deepEqual(made.addresses, ["charrnn/network?name=rnn&step=2000&sha256=ab"]);
  assert.deepEqual(made.runners, [{ engine: false, reason: null }, { engine: true, reason: null }]);
  const parts = made.load(RNN);
  assert.deepEqual([parts.graph, parts.model, parts.views], [{ format: 1 }, MODEL, { h: {} }]);
});

test("the server writes until the engine is ready", async () => {
  let start;
  const made = provider({ ready: new Promise((resolve) => (start = resolve)) });
  for (let k = 0; k < 2; k++) {
    await made.provider.continue(request());
    await settled();
  }
  start();
  await settled();
  await made.provider.continue(request());
  assert.deepEqual(made.log, ["server", "server", "page"]);
});

test("the server goes on where the engine cannot start", async () => {
  const made = provider();
  await made.provider.continue(request());
  await settled();
  made.engine.broken = new Error("the browser refused the worker");
  await made.provider.continue(request());
  assert.equal(await made.provider.engineFor(RNN), null);
  assert.deepEqual(made.log, ["server", "server"]);
  assert.deepEqual(made.runners.at(-1), { engine: false, reason: "the browser refused the worker" });
});

test("another checkpoint is another network", async () => {
  const made = provider();
  await made.provider.continue(request());
  await settled();
  await made.provider.continue(request({ checkpoint: { name: "gru", step: null } }));
  assert.deepEqual(made.log, ["server", "server"]);
  assert.deepEqual(made.checkpoint, { name: "gru", step: null });
});

test("a network that the server refuses is written by calls, with the reason", async () => {
  const made = provider({ status: 404 });
  for (let k = 0; k < 3; k++) {
    await made.provider.continue(request());
    await settled();
  }
  assert.deepEqual(made.log, ["server", "server", "server"]);
  assert.equal(made.addresses.length, 1);
  assert.deepEqual(made.runners.at(-1), { engine: false, reason: "its weights take 40 MB, more than 16" });
});

test("a network that could not be fetched is requested again with the next text", async () => {
  for (const status of [0, 503]) {
    const made = provider({ status });
    await made.provider.continue(request());
    await settled();
    made.status = 200;
    await made.provider.continue(request({ start: 3 }));
    await settled();
    assert.deepEqual(made.log, ["server", "server"]);
    await made.provider.continue(request());
    await settled();
    await made.provider.continue(request());
    assert.deepEqual(made.log, ["server", "server", "server", "page"]);
  }
});

test("without WebAssembly the server writes, and the reason is given", async () => {
  const made = provider({ simd: false });
  await made.provider.continue(request());
  await settled();
  await made.provider.continue(request());
  assert.deepEqual(made.log, ["server", "server"]);
  assert.deepEqual(made.addresses, []);
  assert.match(made.runners[0].reason, /WebAssembly/);
});

test("a clamp at a unit's mean runs on the server", async () => {
  const made = provider();
  await made.provider.continue(request());
  await settled();
  await made.provider.continue(request({ clamps: [{ name: "h", unit: 1, value: null }] }));
  await made.provider.continue(request({ clamps: [{ name: "h", unit: 1, value: 0 }] }));
  assert.deepEqual(made.log, ["server", "server", "page"]);
});

test("the server goes on when the engine breaks", async () => {
  const made = provider();
  await made.provider.continue(request());
  await settled();
  const { engine } = made.provider;
  engine.continue = async () => {
    engine.broken = new Error("out of memory");
    throw engine.broken;
  };
  await made.provider.continue(request({ start: 4 }));
  await made.provider.read(request());
  assert.deepEqual(made.log, ["server", "server", "server"]);
  assert.deepEqual(made.runners.at(-1), { engine: false, reason: "out of memory" });
});

test("an error of the request itself is the engine's answer", async () => {
  const made = provider();
  await made.provider.continue(request());
  await settled();
  made.provider.engine.continue = async () => {
    throw new Error("start is 9: give 0 to 3, the length of the text");
  };
  await assert.rejects(made.provider.continue(request({ start: 9 })), /start is 9/);
});

test("after forget every network is requested again", async () => {
  const made = provider();
  await made.provider.continue(request());
  await settled();
  made.provider.forget();
  await made.provider.continue(request());
  assert.deepEqual([made.log, made.forgotten], [["server", "server"], 1]);
});
