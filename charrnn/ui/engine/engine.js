// Reads and continues texts. Takes the calls of the server's endpoint (charrnn/ui/server/text_calls.py) and gives the same answers.

import { counted } from "../components/number_format.js";
import { distribution, draw } from "../components/sampler.js";
import { Decoder } from "./decoder.js";
import { PrefixCache } from "./prefix_cache.js";
import { readSafetensors } from "./safetensors.js";
import { UniformStream } from "./uniform_stream.js";

const MAX_CALL_CHARS = 1000; // read or written by one call
const STRIDE = 256; // characters between two cached states
const MAX_NETWORKS = 4; // loaded at once
const MAX_SCALED = 2; // decoders of a network with W_hh scaled
const PAUSE_MS = 30; // of computing between two pauses for messages
const RECURRENT = "cell.W_hh.weight";
const EQUIVALENT_GATES = { f: "z", z: "f", g: "n", n: "g" }; // of the same function in another cell

const pause = () => new Promise((resolve) => setTimeout(resolve));

/** Return the lowest and the highest value to which an activation can be clamped. */
function limits(name) {
  if (name.length === 1 && "iforz".includes(name)) return [0, 1];
  return name.length === 1 && "hgn".includes(name) ? [-1, 1] : [-1e6, 1e6];
}

function requireClamp({ name, value }) {
  const [low, high] = limits(name);
  if (typeof value !== "number" || !(value >= low && value <= high)) throw new Error(`the value of ${name} is ${value}: give ${low} to ${high}`);
}

/** A loaded network and its decoders. */
class Network {
  /** graph: as JSON. weights: an ArrayBuffer of a safetensors file. model, views: the page's descriptions of the model and its views. */
  constructor({ graph, weights, model, views }) {
    Object.assign(this, { graph, model, views, weights: readSafetensors(weights) });
    this.characters = Array.from(model.characters);
    this.ids = new Map(this.characters.map((character, id) => [character, id]));
    this.decoder = new Decoder(graph, this.weights);
    this.scaled = new Map();
  }

  /** Return the decoder with W_hh scaled. Throws an Error for a network without W_hh. */
  scaledBy(factor) {
    if (factor === 1) return this.decoder;
    if (!this.weights.has(RECURRENT)) throw new Error("this network has no recurrent weights: choose an RNN, GRU or LSTM");
    return recent(this.scaled, factor, MAX_SCALED, () => new Decoder(this.graph, this.weights, { factors: { [RECURRENT]: factor } }));
  }
}

/** Return the value of a key, or add make(), in a Map that keeps the `most` most recently used values. */
function recent(map, key, most, make) {
  const value = map.has(key) ? map.get(key) : make();
  map.delete(key);
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value);
  return value;
}

export class Engine {
  /** load(checkpoint) -> Promise of { graph, weights, model, views }: see Network. */
  constructor(load) {
    this.load = load;
    this.networks = new Map();
    this.prefixes = new PrefixCache();
    this.last = Promise.resolve(); // of the calls; they run one after the other, since decoders have a state
  }

  /** Return a Promise of the outputs of text[start:], as calls_provider.js does. */
  read(call, signal) {
    return this.continue({ ...call, count: 0 }, signal);
  }

  /** Return a Promise of the same outputs with those of `count` characters generated after the text. */
  continue(call, signal) {
    return this.#queue(() => this.#answer(call, signal));
  }

  /** Return a Promise of the numbers that nodes compute for the last character of a text. parts: as in Decoder.values. */
  values({ checkpoint, text, parts }, signal) {
    return this.#queue(async () => {
      signal?.throwIfAborted();
      const network = await this.#network(checkpoint);
      const characters = Array.from(text);
      const start = characters.length - 1;
      const piece = new Piece(network, { checkpoint, start, recurrent_scale: 1, clamps: [] }, characters, 0, null, this.prefixes, signal);
      await piece.read(start);
      return { numbers: piece.values(parts) };
    });
  }

  #queue(run) {
    const answer = this.last.then(run);
    this.last = answer.catch(() => {});
    return answer;
  }

  async #network(checkpoint) {
    const key = JSON.stringify(checkpoint ?? null);
    const loading = recent(this.networks, key, MAX_NETWORKS, () => this.load(checkpoint).then((parts) => new Network(parts)));
    try {
      return await loading;
    } catch (error) {
      this.networks.delete(key);
      throw error;
    }
  }

  async #answer(call, signal) {
    signal?.throwIfAborted();
    const network = await this.#network(call.checkpoint);
    const { model } = network;
    const view = [call.view, EQUIVALENT_GATES[call.view]].find((name) => model.views.includes(name)) ?? model.views[0];
    const stream = new UniformStream(call.seed);
    let characters = Array.from(call.text);
    let prompt = Math.min(call.prompt, characters.length);
    const head = {};
    if (call.start === 0) {
      const dropped = [...characters.entries()].filter(([, character]) => !network.ids.has(character));
      prompt -= dropped.filter(([at]) => at < prompt).length;
      characters = characters.filter((character) => network.ids.has(character));
      Object.assign(head, { model, view: network.views[view], prompt, known: dropped.length ? characters.join("") : null, notice: droppedNotice(dropped) });
      Object.assign(head, { startDraw: prompt ? null : stream.at(0), startLogits: Float32Array.from(network.graph.beginning.logits) });
    } else if (call.start > characters.length) {
      throw new Error(`start is ${call.start}: give 0 to ${characters.length}, the length of the text`);
    }
    const piece = new Piece(network, call, characters, prompt, view, this.prefixes, signal);
    const to = Math.min(characters.length, call.start + MAX_CALL_CHARS);
    await piece.read(to);
    if (to === characters.length) await piece.write(call.count, stream);
    const draws = Array.from({ length: piece.end - call.start }, (_, k) => (call.start + k + 1 < prompt ? null : stream.at(call.start + k + 1 - prompt)));
    return { ...head, text: piece.characters.slice(call.start, piece.end).join(""), draws, ...piece.outputs() };
  }
}

/** The characters of one call: reads and generates them from the longest cached prefix on. */
class Piece {
  constructor(network, call, characters, prompt, view, prefixes, signal) {
    Object.assign(this, { network, call, characters, prompt, view, prefixes, signal });
    call.clamps.forEach(requireClamp);
    this.decoder = network.scaledBy(call.recurrent_scale);
    this.decoder.clamp(call.clamps); // throws for a wrong clamp before any character is read
    this.isClamped = true;
    this.key = JSON.stringify([network.model.sha256, call.checkpoint, call.recurrent_scale, call.clamps, call.clamps.length ? prompt : null]);
    this.end = 0; // characters read so far
    this.columns = [];
    this.logits = [];
    this.paused = performance.now();
  }

  /** Read the text up to a position. */
  async read(to) {
    const text = this.characters.join("");
    const { start } = this.call;
    const cached = this.prefixes.longest(this.key, text, start);
    if (cached) this.decoder.restore(cached.snapshot);
    else this.decoder.restart();
    this.end = cached?.length ?? 0;
    while (this.end < to) {
      this.#step(this.#nextId());
      if (this.end % STRIDE === 0 || this.end === to) this.#cacheState();
      await this.#pauseIfDue();
    }
  }

  /** Generate characters after the text. */
  async write(count, stream) {
    const { network, call, decoder, prompt } = this;
    const chosen = new Map(call.edits.map(([index, character]) => [index, network.ids.get(character)]));
    for (let written = 0; written < count; written++) {
      const index = this.end - prompt;
      if (!decoder.logits.every(Number.isFinite)) throw new Error("the logits are not finite: the checkpoint is broken, or its weights overflow");
      const { order, ...sorted } = distribution(decoder.logits, call);
      const id = chosen.get(index) ?? order[draw(sorted, stream.at(index))];
      this.characters.push(network.characters[id]);
      this.#step(id);
      await this.#pauseIfDue();
    }
    if (count) this.#cacheState();
  }

  /** Return the numbers that nodes compute for the next character. */
  values(parts) {
    return joined(this.decoder.values(this.#nextId(), parts));
  }

  outputs() {
    return { columns: joined(this.columns), logits: joined(this.logits) };
  }

  #nextId() {
    const character = this.characters[this.end];
    const id = this.network.ids.get(character);
    if (id === undefined) throw new Error(`the model does not know the character '${character}' at position ${this.end}; leave it out`);
    return id;
  }

  #step(id) {
    const isClamped = this.end >= this.prompt && this.call.clamps.length > 0;
    if (isClamped !== this.isClamped) this.decoder.clamp(isClamped ? this.call.clamps : []);
    this.isClamped = isClamped;
    this.decoder.step(id);
    this.end += 1;
    if (this.end <= this.call.start) return;
    this.columns.push(Float32Array.from(this.decoder.activation(this.view)));
    this.logits.push(Float32Array.from(this.decoder.logits));
  }

  #cacheState() {
    this.prefixes.put(this.key, this.characters.slice(0, this.end).join(""), this.end, this.decoder.snapshot());
  }

  /** Pause after PAUSE_MS of computing, so that messages are handled. Throws if the call was aborted. */
  #pauseIfDue() {
    if (performance.now() - this.paused < PAUSE_MS) return undefined;
    return pause().then(() => {
      this.signal?.throwIfAborted();
      this.paused = performance.now();
    });
  }
}

/** Concatenate arrays. */
function joined(arrays) {
  const all = new Float32Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let start = 0;
  for (const array of arrays) {
    all.set(array, start);
    start += array.length;
  }
  return all;
}

/** Return the notice about dropped characters, given as [position, character]; null without any. */
function droppedNotice(dropped) {
  if (!dropped.length) return null;
  const different = [...new Set(dropped.map(([, character]) => `“${character}”`))];
  const named = different.slice(0, 5).join(", ") + (different.length > 5 ? ", …" : "");
  return { kind: "note", text: `Skipped ${counted(dropped.length)} the network does not know: ${named}` };
}
