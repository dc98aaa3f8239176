// The provider of the static page: the kept answer to its first call, else the engine.

import { partsOf } from "../session/page_provider.js";
import { CallsProvider } from "../session/calls_provider.js";

export class SiteProvider {
  /** opening: Promise of { call, answer }: the first call and its answer. load(checkpoint) -> Promise of a network's file. */
  constructor(opening, load, startEngine, onRunner) {
    this.opening = opening;
    const parts = async (checkpoint) => partsOf(await load(checkpoint));
    this.engine = startEngine(parts);
    this.onRunner = onRunner;
  }

  /** Return a Promise of the outputs of text[start:]. */
  read(call, signal) {
    return this.#ask("read", call, signal);
  }

  /** Return a Promise of the same outputs with those of `count` characters generated after the text. */
  continue(call, signal) {
    return this.#ask("continue", call, signal);
  }

  /** Return a Promise of the engine, which runs every network of this page. */
  async engineFor() {
    return this.engine;
  }

  async #ask(method, call, signal) {
    const { call: kept, answer } = (await this.opening) ?? {};
    this.opening = null; // only the first call can be the kept one
    if (kept && Object.keys(kept).every((name) => JSON.stringify(kept[name]) === JSON.stringify(call[name]))) {
      const piece = await new CallsProvider("", async () => new Response(JSON.stringify({ data: [answer] }))).continue(call, signal);
      this.engine.read({ ...call, count: 0 }).catch(() => {}); // load the network
      return piece;
    }
    this.onRunner({ engine: true, reason: null });
    return this.engine[method](call, signal);
  }
}
