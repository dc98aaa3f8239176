// The provider that runs the network in a worker of this page.

import { Unreachable } from "./session.js";

export class EngineProvider {
  /** worker: runs engine/worker.js. load(checkpoint) -> Promise of { graph, weights, model, views }: see engine.js. */
  constructor(worker, load) {
    this.worker = worker;
    this.load = load;
    this.calls = new Map(); // id -> { resolve, reject }
    this.newest = 0;
    this.broken = null; // the Error of a worker that has failed
    this.ready = new Promise((resolve) => (this.started = resolve)); // resolves when the worker answers or has failed
    worker.addEventListener("message", ({ data }) => this.#receive(data));
    worker.addEventListener("error", (event) => this.#fail(new Error(event.message || "The network cannot run in this page.")));
  }

  /** Return a Promise of the outputs of text[start:]. */
  read(call, signal) {
    return this.#call("read", call, signal);
  }

  /** Return a Promise of the same outputs with those of `count` characters generated after the text. */
  continue(call, signal) {
    return this.#call("continue", call, signal);
  }

  /** Return a Promise of the numbers that nodes compute for the last character of a text: see engine.js. */
  values(call, signal) {
    return this.#call("values", call, signal);
  }

  /** Load every network again when it is needed next. */
  forget() {
    this.worker.postMessage({ forget: true });
  }

  #call(method, call, signal) {
    const id = ++this.newest;
    signal?.addEventListener("abort", () => this.worker.postMessage({ id, abort: true }), { once: true });
    return new Promise((resolve, reject) => {
      if (this.broken) throw this.broken;
      this.calls.set(id, { resolve, reject });
      this.worker.postMessage({ id, method, call });
    });
  }

  #receive(message) {
    if (message.ready) this.started();
    else if (message.load) this.#send(message);
    else this.#settle(message);
  }

  #settle({ id, piece, error, unreachable }) {
    const call = this.calls.get(id);
    this.calls.delete(id);
    if (piece) call?.resolve(piece);
    else call?.reject(unreachable ? new Unreachable(error) : new Error(error));
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
      this.worker.postMessage({ load, error: error.message, unreachable: error instanceof Unreachable });
    }
  }
}
