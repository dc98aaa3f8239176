// The provider of a page: the page's engine if it has loaded the network and can run it, else calls to the server.

import { readHeader } from "../engine/safetensors.js";
import { Unreachable } from "./session.js";

const MAX_NETWORKS = 4; // as in engine.js

/** Return the URL of a network's file, relative to that of the page. */
const addressOf = ({ name, step, sha256 }) => "charrnn/network?" + new URLSearchParams({ name, step, sha256 });

export class PageProvider {
  /**
   * calls: a CallsProvider. startEngine(load) -> an EngineProvider, called for the first network; null if the page cannot run one.
   * fetchFile(address) -> Promise of a Response. onRunner({ engine, reason }, checkpoint): called with every call, and when a
   * network has been loaded.
   */
  constructor(calls, startEngine, fetchFile, onRunner = () => {}) {
    Object.assign(this, { calls, startEngine, fetchFile, onRunner, networks: new Map(), engine: null });
  }

  /** Return a Promise of the outputs of text[start:]. */
  read(call, signal) {
    return this.#ask("read", call, signal);
  }

  /** Return a Promise of the same outputs with those of `count` characters generated after the text. */
  continue(call, signal) {
    return this.#ask("continue", call, signal);
  }

  /** Return a Promise of the engine, or of null if it does not run this network; waits for a network that is being fetched. */
  async engineFor(checkpoint) {
    const network = this.networks.get(keyOf(checkpoint));
    await network?.fetched;
    return this.#runs(network) ? this.engine : null;
  }

  /** Load every network again: the server may have newer ones of the same name. */
  forget() {
    this.networks.clear();
    this.engine?.forget();
  }

  async #ask(method, call, signal) {
    const network = this.#network(call.checkpoint);
    if (this.#runs(network) && call.clamps.every(({ value }) => value !== null)) {
      this.onRunner({ engine: true, reason: null }, call.checkpoint);
      try {
        return await this.engine[method](call, signal);
      } catch (error) {
        if (!this.engine.broken) throw error; // else the server answers
      }
    }
    this.onRunner({ engine: false, reason: this.#reason(network) }, call.checkpoint);
    const piece = await this.calls[method](call, signal);
    if (piece.model && this.startEngine && !network) this.#start(call.checkpoint, piece.model);
    return piece;
  }

  /** Return a network's entry and mark it as the most recently used one. */
  #network(checkpoint) {
    const key = keyOf(checkpoint);
    const network = this.networks.get(key);
    if (!network) return undefined;
    this.networks.delete(key);
    this.networks.set(key, network);
    return network;
  }

  #runs(network) {
    return Boolean(network?.parts) && !this.engine.broken;
  }

  /** Return the reason why the server runs a network; null while the page is fetching it. */
  #reason(network) {
    if (!this.startEngine) return "this browser has no WebAssembly SIMD";
    return this.engine?.broken ? this.engine.broken.message : (network?.refusal ?? null);
  }

  /** Fetch a network while the server writes. */
  #start(checkpoint, model) {
    const network = {};
    this.networks.set(keyOf(checkpoint), network);
    if (this.networks.size > MAX_NETWORKS) this.networks.delete(this.networks.keys().next().value);
    network.fetched = this.#load(network, checkpoint, model).then(() => {
      if (this.#runs(network)) this.onRunner({ engine: true, reason: null }, checkpoint);
    });
  }

  async #load(network, checkpoint, model) {
    try {
      const response = await this.fetchFile(addressOf(model));
      if (response.status === 404) network.refusal = await response.text();
      else if (!response.ok) throw new Unreachable(`status ${response.status}`);
      else {
        const parts = partsOf(await response.arrayBuffer());
        this.engine ??= this.startEngine((wanted) => this.networks.get(keyOf(wanted)).parts);
        await this.engine.ready;
        network.parts = parts;
      }
    } catch {
      if (this.networks.get(keyOf(checkpoint)) === network) this.networks.delete(keyOf(checkpoint)); // the next text fetches it again
    }
  }
}

const keyOf = (checkpoint) => JSON.stringify(checkpoint ?? null);

/** Return the weights in a network's file, and its graph, model and views. Throws an Error if it is invalid. */
export function partsOf(weights) {
  const { __metadata__: metadata } = readHeader(weights).header;
  return { weights, ...JSON.parse(metadata.network) };
}
