// The provider that calls the server: one HTTP request per call.

import { decodeArray } from "../components/base64.js";
import { fromHalves } from "../components/half_floats.js";
import { Busy, Unreachable } from "./session.js";

const UNREACHABLE_STATUSES = new Set([408, 429, 500, 502, 503, 504]); // of a proxy whose server is down

export class CallsProvider {
  /** url: of the endpoint; request: fetch, which tests replace. */
  constructor(url, request = (...options) => fetch(...options)) {
    this.url = url;
    this.request = request;
  }

  /** Return the outputs of text[start:]. */
  read(call, signal) {
    return this.#call(call, signal);
  }

  /** Return the same, and `count` characters generated after the text. */
  continue(call, signal) {
    return this.#call(call, signal);
  }

  async #call(call, signal) {
    const answer = await this.#fetch(call, signal);
    if (answer.busy_ms) throw new Busy(answer.busy_ms);
    if (answer.error) throw new Error(answer.error);
    const { text, draws } = answer;
    const columns = fromHalves(decodeArray(answer.columns, Uint16Array));
    const piece = { text, draws, columns, logits: decodeArray(answer.logits, Float32Array) };
    if (call.start > 0) return piece;
    const { model, view, prompt, known, notice, start_draw: startDraw } = answer;
    return { ...piece, model, view, prompt, known, notice, startDraw, startLogits: decodeArray(answer.start_logits, Float32Array) };
  }

  /** Return the data of the endpoint's answer. */
  async #fetch(call, signal) {
    let response;
    try {
      const headers = { "Content-Type": "application/json" };
      response = await this.request(this.url, { method: "POST", headers, body: JSON.stringify({ data: [call] }), signal });
      if (UNREACHABLE_STATUSES.has(response.status)) throw new Unreachable(`status ${response.status}`);
      const body = await response.json();
      if (!response.ok) throw new Error(body.detail || body.error || `The server answered with status ${response.status}.`);
      return body.data[0];
    } catch (error) {
      if (error instanceof TypeError || error instanceof SyntaxError) throw new Unreachable(error.message);
      throw error;
    }
  }
}
