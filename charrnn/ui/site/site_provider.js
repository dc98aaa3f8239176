// The provider of the static page: the kept text it opens on, else the engine.

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

  /** Return the outputs of text[start:]. */
  read(asked, signal) {
    return this.#ask("read", asked, signal);
  }

  /** Return the same, and `count` characters written after the text. */
  continue(asked, signal) {
    return this.#ask("continue", asked, signal);
  }

  /** Return the engine, which runs every network of this page. */
  async engineFor() {
    return this.engine;
  }

  async #ask(method, asked, signal) {
    const { call, answer } = (await this.opening) ?? {};
    this.opening = null; // only the first call can be the kept one
    if (call && Object.keys(call).every((name) => JSON.stringify(call[name]) === JSON.stringify(asked[name]))) {
      const piece = await new CallsProvider("", async () => new Response(JSON.stringify({ data: [answer] }))).continue(asked, signal);
      this.engine.read({ ...asked, count: 0 }).catch(() => {}); // load the network
      return piece;
    }
    this.onRunner({ engine: true, reason: null });
    return this.engine[method](asked, signal);
  }
}
