// The provider of a page: the network in the page where it is loaded and can run, else calls to the server.

import { readHeader } from "../engine/safetensors.js";
import { Unreachable } from "./session.js";

const MAX_NETWORKS = 4; // as in engine.js

/** The address of a network's file, below the address of the page. */
const addressOf = ({ name, step, sha256 }) => "charrnn/network?" + new URLSearchParams({ name, step, sha256 });

export class PageProvider {
  /**
   * calls: answers everything. startEngine(load) -> an EngineProvider, called for the first network; null if the page cannot run one.
   * fetchFile(address) -> Promise of a Response. onRunner({ engine, reason }, checkpoint): called with every call, and when a network has been loaded.
   */
  constructor(calls, startEngine, fetchFile, onRunner = () => {}) {
    Object.assign(this, { calls, startEngine, fetchFile, onRunner, networks: new Map(), engine: null });
  }

  /** The outputs of text[start:]. */
  read(asked, signal) {
    return this.#ask("read", asked, signal);
  }

  /** The same, and `count` characters written after the text. */
  continue(asked, signal) {
    return this.#ask("continue", asked, signal);
  }

  /** Promise of the engine if it runs this network, else of null; waits for one that is being fetched. */
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

  async #ask(method, asked, signal) {
    const network = this.#network(asked.checkpoint);
    if (this.#runs(network) && asked.clamps.every(({ value }) => value !== null)) {
      this.onRunner({ engine: true, reason: null }, asked.checkpoint);
      try {
        return await this.engine[method](asked, signal);
      } catch (error) {
        if (!this.engine.broken) throw error; // else the server goes on
      }
    }
    this.onRunner({ engine: false, reason: this.#reason(network) }, asked.checkpoint);
    const piece = await this.calls[method](asked, signal);
    if (piece.model && this.startEngine && !network) this.#start(asked.checkpoint, piece.model);
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

  /** Why the server runs a network; null while the page is fetching it. */
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
      if (this.networks.get(keyOf(checkpoint)) === network) this.networks.delete(keyOf(checkpoint)); // asked for again with the next text
    }
  }
}

const keyOf = (checkpoint) => JSON.stringify(checkpoint ?? null);

/** The bytes of a network's file, and its graph, model and views. */
export function partsOf(weights) {
  const { __metadata__: metadata } = readHeader(weights).header;
  return { weights, ...JSON.parse(metadata.network) };
}
