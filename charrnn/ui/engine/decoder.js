// Runs the graph of a decode step (charrnn/export/graph.py) in float64, one character at a time.

import { KERNELS } from "./kernels.js";
import { Arena } from "./matvec_wasm.js";
import { countOf, MAPS } from "./shapes.js";

const MAX_TABLE_NUMBERS = 4_000_000; // of the values kept per character
const GIVEN = new Set(["input", "weight", "constant"]);
const flat = (value) => Float64Array.from([value].flat(Infinity));

/** Return a size, or a list of sizes, for a cache of `length` characters. full: the length of a full cache, or null. */
export function sized(value, length, full) {
  if (Array.isArray(value)) return value.map((part) => sized(part, length, full));
  if (value === null || typeof value !== "object") return value;
  if (length === full) return value.full;
  return value.per && value.per[0] + value.per[1] * length;
}

/** Check if a size, or one of a list, depends on the length of the cache. */
const grows = (value) => (Array.isArray(value) ? value.some(grows) : Boolean(value?.per?.[1]));

/** Cached keys or values, which grow by one position per character: `outer` × `capacity` × `inner` numbers. */
class Cache {
  constructor(shape, growing, full) {
    const at = shape.length + growing;
    Object.assign(this, { growing, outer: countOf(shape.slice(0, at)), inner: countOf(shape.slice(at + 1)), capacity: 2 * full + 2 });
    this.data = new Float64Array(this.outer * this.capacity * this.inner);
    this.start = this.end = 0;
  }

  get length() {
    return this.end - this.start;
  }

  append(values) {
    if (this.end === this.capacity) this.assign(this.values());
    const { inner, capacity } = this;
    for (let block = 0, from = 0; block < this.outer; block++) {
      const to = (block * capacity + this.end) * inner;
      for (let i = 0; i < inner; i++) this.data[to + i] = values[from++];
    }
    this.end += 1;
  }

  /** Copy the values without the first `skip` positions, in order. */
  values(skip = 0, to = new Float64Array(this.outer * (this.length - skip) * this.inner)) {
    const { inner, capacity, outer, start, end } = this;
    const size = (end - start - skip) * inner;
    for (let block = 0; block < outer; block++) {
      const from = (block * capacity + start + skip) * inner;
      to.set(this.data.subarray(from, from + size), block * size);
    }
    return to;
  }

  assign(values) {
    const { inner, capacity, outer } = this;
    const size = values.length / outer;
    for (let block = 0; block < outer; block++) this.data.set(values.subarray(block * size, (block + 1) * size), block * capacity * inner);
    this.start = 0;
    this.end = size / inner;
  }
}

export class Decoder {
  /**
   * graph: as JSON, with `beginning`: { logits, state, activations } before the first character.
   * weights: Map of name -> { data, shape }. factors: { name of a weight: factor }. simd: false for plain JavaScript, by default
   * as the browser supports it. Throws an Error if the page cannot run the graph.
   */
  constructor(graph, weights, { factors = {}, simd } = {}) {
    if (graph.format !== 1) throw new Error(`The network has format ${graph.format}: this page runs format 1.`);
    this.graph = graph;
    this.full = graph.context === null ? null : graph.context - 1;
    this.names = Object.keys(graph.activations);
    this.logits = new Float64Array(graph.beginning.logits.length);
    this.clamps = new Map(); // node -> { places, values, size of a row }
    this.#prepare();
    this.#allocate(weights, factors, simd);
    this.#fold();
    this.restart();
  }

  /** Return the values of an activation after the last character, valid until the next step. */
  activation(name) {
    return this.read ? this.current.tensors[this.graph.activations[name]].data : this.beginning[name];
  }

  /** Clamp units of activations: a list of { name, unit, value }, unit null for all; the last clamp of a unit counts. */
  clamp(clamps) {
    const before = [...this.clamps.keys()];
    this.clamps.clear();
    for (const { name, unit, value } of clamps) {
      const node = this.graph.activations[name];
      if (node === undefined) throw new Error(`${name} cannot be clamped here: give one of ${this.names.join(", ")}`);
      if (this.kind[node] === "fixed" || GIVEN.has(this.graph.nodes[node].op)) {
        throw new Error(`${name} cannot be clamped in this network: the step does not compute it`);
      }
      const units = this.graph.nodes[node].shape.at(-1) ?? 1;
      if (unit !== null && !(Number.isInteger(unit) && unit >= 0 && unit < units)) {
        throw new Error(`the unit is ${unit}: give 0 to ${units - 1}, or null for all`);
      }
      const values = this.clamps.get(node) ?? new Map();
      for (let at = unit ?? 0; at <= (unit ?? units - 1); at++) values.set(at, value);
      this.clamps.set(node, values);
    }
    for (const [node, clamped] of this.clamps) {
      const [places, values] = [Int32Array.from(clamped.keys()), Float64Array.from(clamped.values())];
      this.clamps.set(node, { places, values, size: this.graph.nodes[node].shape.at(-1) ?? 1 });
    }
    if ([...before, ...this.clamps.keys()].some((node) => this.kind[node] === "character")) this.known.clear();
  }

  /** Go back to the state before the first character. */
  restart() {
    for (const [name, state] of Object.entries(this.graph.state)) this.#assign(name, state, flat(this.graph.beginning.state[name]));
    this.logits.set(this.graph.beginning.logits);
    this.read = false;
  }

  /** Copy the state and the logits; `bytes` is the size of the copy. */
  snapshot() {
    const state = Object.keys(this.graph.state).map((name) => this.caches[name]?.values() ?? this.states[name].data.slice());
    const bytes = 8 * state.reduce((sum, values) => sum + values.length, this.logits.length);
    return { state, logits: this.logits.slice(), bytes };
  }

  restore({ state, logits }) {
    Object.entries(this.graph.state).forEach(([name, array], at) => this.#assign(name, array, state[at]));
    this.logits.set(logits);
    this.read = false;
  }

  /** Read one character; return the logits after it. */
  step(id) {
    const program = this.#program();
    this.current = program;
    const known = this.known.get(id);
    if (known) for (let k = 0; k < known.length; k++) this.storage[this.perId[k]].set(known[k]);
    else this.#computeCharacter(id, program);
    for (const run of program.steps) run();
    for (const run of program.after) run();
    this.logits.set(program.tensors[this.graph.logits].data);
    this.read = true;
    return this.logits;
  }

  /** Read one character; return some of the numbers that nodes compute for it. parts: [node, index of the first number, count]. */
  values(id, parts) {
    const before = parts.map(([at]) => (this.graph.nodes[at].op === "input" && at !== this.graph.id ? this.storage[at].slice() : null));
    this.known.delete(id); // so that the step computes every node, also those that depend on the character only
    this.step(id);
    return parts.map(([at, first, count], k) => (before[k] ?? this.current.tensors[at].data).slice(first, first + count));
  }

  // ------------------------------------------------------------------ analysis of the graph

  /** Classify the nodes: "fixed" depend on the weights only, "character" on the id too, "state" on the state. */
  #prepare() {
    const { nodes, id, state, activations, logits } = this.graph;
    const inputs = new Map(Object.entries(state).map(([name, array]) => [array.in, name]));
    this.kind = [];
    nodes.forEach((node, at) => {
      if (!GIVEN.has(node.op) && !KERNELS[node.op]) throw new Error(`The page cannot compute ${node.op} (${node.line ?? "no line"}).`);
      const from = node.in.map((source) => this.kind[source]);
      this.kind.push(inputs.has(at) || from.includes("state") ? "state" : at === id || from.includes("character") ? "character" : "fixed");
    });
    const outputs = [logits, ...Object.values(activations), ...Object.values(state).map((array) => array.out)];
    this.named = new Set(Object.values(activations));
    this.outputs = new Set(outputs);
    const used = new Set(outputs.concat(nodes.flatMap((node, at) => (this.kind[at] === "state" ? node.in : []))));
    this.perId = nodes.map((_, at) => at).filter((at) => this.kind[at] === "character" && used.has(at));
    this.known = new Map(); // id -> the values of these nodes
    this.growing = new Map(Object.entries(state).filter(([, array]) => array.growing !== null).map(([name, array]) => [array.in, name]));
    this.programs = new Map(); // length of the caches, or -1 for all but the full one -> program
    this.beginning = Object.fromEntries(Object.entries(this.graph.beginning.activations).map(([name, values]) => [name, flat(values)]));
  }

  /** Allocate memory for the results of all nodes, and for the weights. */
  #allocate(weights, factors, simd) {
    const { nodes, state } = this.graph;
    const lengths = this.full === null ? [0] : [0, Math.max(0, this.full - 1), this.full];
    const counts = nodes.map((node, at) => (this.growing.has(at) ? 0 : Math.max(...lengths.map((length) => countOf(sized(node.shape, length, this.full))))));
    const roles = nodes.map(() => new Set()); // uses of each node: "linear 1" is the matrix of a product
    for (const { op, in: from } of nodes) from.forEach((source, place) => roles[source].add(`${op} ${place}`));
    const given = nodes.map((node, at) => {
      if (node.op !== "weight") return null;
      const weight = weights.get(node.name);
      if (!weight) throw new Error(`The file of weights has no ${node.name}.`);
      if (countOf(node.shape) !== weight.data.length) throw new Error(`${node.name} has ${weight.data.length} numbers: the network needs ${counts[at]}.`);
      return scaledWeight(weight.data, factors[node.name]);
    });
    // A weight that only products and lookups use is not converted; for products it is packed as well.
    const kept = (at) => given[at] && [...roles[at]].every((role) => role === "linear 1" || role === "lookup 0");
    const packed = (at) => kept(at) && roles[at].has("linear 1") && given[at] instanceof Float32Array && nodes[at].shape.length === 2;
    const sizes = nodes.map((node, at) => (packed(at) ? Arena.matrixBytes(...node.shape) : kept(at) ? 0 : Arena.arrayBytes(counts[at])));
    const rows = Math.max(1, ...nodes.map((node, at) => (roles[at].has("linear 1") ? counts[at] / (node.shape.at(-1) ?? 1) : 1)));
    const arena = new Arena(sizes.reduce((sum, size) => sum + size, Arena.arrayBytes(rows)), simd);
    const zeros = arena.array(rows);
    this.storage = nodes.map((node, at) => (kept(at) ? given[at] : arena.array(counts[at])));
    this.fixed = nodes.map((node, at) => {
      if (given[at] && !kept(at)) this.storage[at].set(given[at]);
      if (node.op === "constant") this.storage[at].set(flat(node.value));
      const product = packed(at) && arena.matvec ? arena.product(given[at], ...node.shape) : undefined;
      return { data: this.storage[at], shape: node.shape, product, zeros };
    });
    this.caches = {};
    this.states = {};
    for (const [name, array] of Object.entries(state)) {
      if (array.growing === null) this.states[name] = this.fixed[array.in];
      else this.caches[name] = new Cache(nodes[array.in].shape, array.growing, this.full);
    }
  }

  /** Compute the nodes that depend on the weights only, once. */
  #fold() {
    this.graph.nodes.forEach((node, at) => {
      if (this.kind[at] === "fixed" && !GIVEN.has(node.op)) KERNELS[node.op](node.in.map((source) => this.fixed[source]), this.fixed[at], node)();
    });
  }

  #assign(name, array, values) {
    if (array.growing === null) this.states[name].data.set(values);
    else this.caches[name].assign(values);
  }

  /** Compute the nodes that depend on the character only, and cache their values. */
  #computeCharacter(id, program) {
    this.storage[this.graph.id][0] = id;
    for (const run of program.ofCharacter) run();
    const values = this.perId.map((at) => this.storage[at].slice());
    const numbers = values.reduce((sum, each) => sum + each.length, 0);
    if ((this.known.size + 1) * numbers < MAX_TABLE_NUMBERS) this.known.set(id, values);
  }

  // ------------------------------------------------------------------ programs

  #program() {
    if (this.full === null) return this.programs.get(0) ?? this.#compile(0, 0);
    const { length } = this.caches[this.growing.values().next().value];
    const key = length === this.full || this.dependsOnLength ? length : -1;
    return this.programs.get(key) ?? this.#compile(length, key);
  }

  /** Compile the functions of a step for caches of this length; they write to the storage that all programs share. */
  #compile(length, key) {
    const { nodes, state } = this.graph;
    const program = { tensors: [], ofCharacter: [], steps: [], after: [] };
    nodes.forEach((node, at) => program.tensors.push(this.#tensor(node, at, length, program)));
    for (const at of this.outputs) {
      const tensor = program.tensors[at];
      if (nodes[at].op !== "input" || tensor.cache) continue;
      const data = tensor.data.slice(); // as it was before the step, which replaces it
      program.steps.push(() => data.set(tensor.data));
      program.tensors[at] = { ...tensor, data };
    }
    for (const [name, array] of Object.entries(state)) {
      const out = program.tensors[array.out];
      const cache = this.caches[name];
      if (cache && out.cache === cache) {
        program.after.push(() => (cache.start += out.skip));
      } else {
        const { data } = this.#contiguous(out, program.steps);
        program.after.push(() => this.#assign(name, array, data));
      }
    }
    this.programs.set(this.dependsOnLength ? length : key, program);
    return program;
  }

  /** Return the tensor of a node, and add the functions that compute it to the program. */
  #tensor(node, at, length, program) {
    if (this.kind[at] === "fixed") return this.fixed[at];
    if (this.growing.has(at)) return growingTensor(this.caches[this.growing.get(at)], 0, sized(node.shape, length, this.full));
    if (node.op === "input") return this.fixed[at];
    const list = this.kind[at] === "character" ? program.ofCharacter : program.steps;
    const shape = sized(node.shape, length, this.full);
    const params = sized(Object.entries(node), length, this.full);
    const { dim, start, end = null, step } = Object.fromEntries(params);
    const sources = node.in.map((source) => program.tensors[source]);
    const { cache, skip } = sources[0];
    if (cache && node.op === "cat" && sources.length === 2 && dim === cache.growing && this.#appends(node.in[0])) {
      const { data } = this.#contiguous(sources[1], list);
      list.push(() => cache.append(data));
      return growingTensor(cache, 0, shape);
    }
    if (cache && node.op === "slice" && end === null && step === 1 && (start === 0 || dim === cache.growing)) return growingTensor(cache, skip + start, shape);
    const inputs = sources.map((source) => (node.op === "attention" && source.span ? source : this.#contiguous(source, list)));
    if (grows(node.shape) || grows(Object.values(node))) this.dependsOnLength = true;
    const isOutput = this.outputs.has(at) || (this.kind[at] === "character" && this.perId.includes(at));
    if (!isOutput && MAPS[node.op]) {
      const from = MAPS[node.op](inputs[0].shape, Object.fromEntries(params), shape);
      if (from.every((place, k) => place === from[0] + k)) return { data: inputs[0].data.subarray(from[0], from[0] + from.length), shape };
    }
    const out = { data: this.storage[at].subarray(0, countOf(shape)), shape };
    list.push(KERNELS[node.op](inputs, out, Object.fromEntries(params)));
    if (this.named.has(at)) list.push(() => this.#applyClamps(at, out.data));
    return out;
  }

  /** Check if a node is a growing input with a single use, to which new values can be appended in place. */
  #appends(input) {
    return this.growing.has(input) && this.graph.nodes.filter((node) => node.in.includes(input)).length === 1 && !this.outputs.has(input);
  }

  /** Return a growing tensor as a plain one, which a function of the list copies. */
  #contiguous(tensor, list) {
    if (!tensor.cache) return tensor;
    this.dependsOnLength = true;
    const data = new Float64Array(countOf(tensor.shape));
    list.push(() => tensor.cache.values(tensor.skip, data));
    return { data, shape: tensor.shape };
  }

  #applyClamps(node, data) {
    const clamp = this.clamps.get(node);
    if (!clamp) return;
    const { places, values, size } = clamp;
    for (let row = 0; row < data.length; row += size) for (let k = 0; k < places.length; k++) data[row + places[k]] = values[k];
  }
}

/** Return a cache without its first `skip` positions as a tensor. span(): [first number, numbers per head, rows], for attention. */
function growingTensor(cache, skip, shape) {
  const span = () => [(cache.start + skip) * cache.inner, cache.capacity * cache.inner, cache.length - skip];
  return { cache, skip, shape, data: cache.data, span: cache.growing === -2 ? span : undefined };
}

/** Scale a weight, in its own precision. */
function scaledWeight(data, factor = 1) {
  if (factor === 1) return data;
  const exact = data instanceof Float32Array ? Math.fround(factor) : factor;
  return data.map((value) => value * exact);
}
