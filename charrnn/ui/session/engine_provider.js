// The provider that runs the network in a worker of this page.

import { Unreachable } from "./session.js";

export class EngineProvider {
  /** worker: runs engine/worker.js. load(checkpoint) -> Promise of { graph, weights, model, views }: see engine.js. */
  constructor(worker, load) {
    this.worker = worker;
    this.load = load;
    this.calls = new Map(); // id -> { resolve, reject }
    this.newest = 0;
    this.broken = null; // why the worker does not answer any more
    this.ready = new Promise((resolve) => (this.started = resolve)); // the worker answers, or never will: see broken
    worker.addEventListener("message", ({ data }) => this.#receive(data));
    worker.addEventListener("error", (event) => this.#fail(new Error(event.message || "The network cannot run in this page.")));
  }

  /** The outputs of text[start:]. */
  read(asked, signal) {
    return this.#call("read", asked, signal);
  }

  /** The same, and `count` characters written after the text. */
  continue(asked, signal) {
    return this.#call("continue", asked, signal);
  }

  /** The numbers that nodes compute for the last character of a text: see engine.js. */
  values(asked, signal) {
    return this.#call("values", asked, signal);
  }

  /** Load every network again when it is needed next. */
  forget() {
    this.worker.postMessage({ forget: true });
  }

  #call(method, asked, signal) {
    const id = ++this.newest;
    signal?.addEventListener("abort", () => this.worker.postMessage({ id, abort: true }), { once: true });
    return new Promise((resolve, reject) => {
      if (this.broken) throw this.broken;
      this.calls.set(id, { resolve, reject });
      this.worker.postMessage({ id, method, asked });
    });
  }

  #receive(message) {
    if (message.ready) this.started();
    else if (message.load) this.#send(message);
    else this.#settle(message);
  }

  #settle({ id, piece, error, away }) {
    const call = this.calls.get(id);
    this.calls.delete(id);
    if (piece) call?.resolve(piece);
    else call?.reject(away ? new Unreachable(error) : new Error(error));
  }

  #fail(error) {
    this.broken = error;
    this.started();
    for (const { reject } of this.calls.values()) reject(error);
    this.calls.clear();
  }

  async #send({ load, checkpoint }) {
    try {
      this.worker.postMessage({ load, network: await this.load(checkpoint) });
    } catch (error) {
      this.worker.postMessage({ load, error: error.message, away: error instanceof Unreachable });
    }
  }
}
