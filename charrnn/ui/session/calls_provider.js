// The provider that calls the server: one HTTP request per call.

import { decodeArray } from "../components/base64.js";
import { fromHalves } from "../components/half_floats.js";
import { Busy, Unreachable } from "./session.js";

const STALLED_MS = 10_000; // without a byte of the answer
const UNREACHABLE_STATUSES = new Set([408, 429, 500, 502, 503, 504]); // of a proxy whose server is down

export class CallsProvider {
  /** url: of the endpoint. Tests replace request, which is fetch, and stalledMs, after which a silent connection counts as broken. */
  constructor(url, request = (...options) => fetch(...options), stalledMs = STALLED_MS) {
    Object.assign(this, { url, request, stalledMs });
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
  async #fetch(call, given) {
    const controller = new AbortController();
    const { signal } = controller;
    const onAbort = () => controller.abort(given.reason);
    if (given?.aborted) onAbort();
    given?.addEventListener("abort", onAbort);
    let timer;
    const onProgress = () => {
      clearTimeout(timer);
      timer = setTimeout(() => controller.abort(new Unreachable("no answer")), this.stalledMs);
    };
    onProgress();
    try {
      const headers = { "Content-Type": "application/json" };
      const response = await this.request(this.url, { method: "POST", headers, body: JSON.stringify({ data: [call] }), signal });
      if (UNREACHABLE_STATUSES.has(response.status)) throw new Unreachable(`status ${response.status}`);
      const body = JSON.parse(await textOf(response, onProgress));
      if (!response.ok) throw new Error(body.detail || body.error || `The server answered with status ${response.status}.`);
      return body.data[0];
    } catch (error) {
      if (error instanceof TypeError || error instanceof SyntaxError) throw new Unreachable(error.message);
      throw error;
    } finally {
      clearTimeout(timer);
      given?.removeEventListener("abort", onAbort);
    }
  }
}

/** Return the text of a response; onProgress: called for every piece that arrives. */
async function textOf(response, onProgress) {
  const [reader, decoder] = [response.body.getReader(), new TextDecoder()];
  let text = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    onProgress();
    text += decoder.decode(piece.value, { stream: true });
  }
  return text + decoder.decode();
}
