// Two texts continued from one prompt with the same random draws, and the first draw at which they differ.

import { distribution } from "../components/sampler.js";
import { UniformStream } from "../engine/uniform_stream.js";
import { NO_INTERVENTIONS, outOfRange, pauseBeforeRetry, sleep } from "./session.js";

const PIECE_CHARS = 100; // characters between two results
const MAX_ROWS = 8; // of a distribution
const MIN_SEGMENT = 0.004; // share of a bar; less probable characters get no segment
const MAX_DIGITS = 12;

/**
 * Generate texts piece by piece; yields { prompt, texts, divergence, notice } after each.
 *
 * writers: one or two of { checkpoint, temperature, top_k, top_p, min_p }, with interventions if any. divergence: null while the
 * texts are the same; else { at, u, digits, sides }: the position of the first difference, its draw, the digits that tell
 * the draw from the ends of both intervals, and both distributions in the order of the draw. notice: about dropped characters.
 * wait(milliseconds) -> Promise: the pause before a call to an overloaded or unreachable provider is repeated. Throws an Error if
 * the request is invalid or aborted.
 */
export async function* coupledTexts(provider, { writers, prompt, seed, characters }, signal, wait = sleep) {
  const invalid = outOfRange(seed, characters);
  if (invalid) throw new Error(invalid);
  const uniforms = new UniformStream(seed);
  const both = writers.map((writer) => new Continuation(provider, { ...writer, prompt, seed }, signal, wait));
  let divergence = null;
  for (let n = 0; n < characters; ) {
    const count = Math.min(PIECE_CHARS, characters - n);
    await Promise.all(both.map((continuation) => continuation.extend(count)));
    const index = divergence ? -1 : firstDifference(both, n, n + count);
    if (index >= 0) divergence = describeDifference(both, index, uniforms.at(index));
    n += count;
    yield { prompt: both[0].given, texts: both.map(({ text }) => text), divergence, notice: both[0].notice };
  }
}

/** A text that grows by calls to the provider. */
class Continuation {
  constructor(provider, { prompt, checkpoint, seed, ...settings }, signal, wait) {
    Object.assign(this, { provider, signal, wait });
    this.call = { ...NO_INTERVENTIONS, ...settings, checkpoint, seed, view: "", edits: [] };
    this.settings = settings;
    this.characters = Array.from(prompt);
    this.prompt = this.characters.length;
    this.end = 0; // of the characters that were read
  }

  get given() {
    return this.characters.slice(0, this.prompt).join("");
  }

  get text() {
    return this.characters.slice(this.prompt).join("");
  }

  /** Generate `count` more characters; a long prompt is read by several calls. */
  async extend(count) {
    for (let generated = []; !generated.length; ) {
      const start = this.end;
      const piece = await this.#ask(start, count);
      if (start === 0) this.#begin(piece);
      const received = Array.from(piece.text);
      const before = start === 0 ? piece.startLogits : this.logitsAt(start);
      Object.assign(this, { start, before, logits: piece.logits, end: start + received.length });
      generated = received.slice(this.characters.length - start);
      this.characters.push(...generated);
    }
  }

  /** Return the logits from which the character at a position of the latest piece was drawn. */
  logitsAt(position) {
    if (position === this.start) return this.before;
    const size = this.alphabet.length;
    return this.logits.subarray((position - 1 - this.start) * size, (position - this.start) * size);
  }

  /** Describe the distribution of a generated character, and the interval in which it was drawn. */
  drawAt(index) {
    const position = this.prompt + index;
    const sorted = distribution(this.logitsAt(position), this.settings);
    const character = this.characters[position];
    const rank = sorted.order.indexOf(this.alphabet.indexOf(character));
    return { sorted, drawn: { character, rank, low: edge(sorted, rank), high: edge(sorted, rank + 1) } };
  }

  #begin({ model, known, prompt, notice }) {
    this.alphabet = Array.from(model.characters);
    if (known !== null) this.characters = Array.from(known);
    Object.assign(this, { prompt, notice: notice?.text ?? "" });
  }

  async #ask(start, count) {
    const call = { ...this.call, text: this.characters.join(""), prompt: this.prompt, start, count };
    for (let attempt = 0; ; attempt++) {
      try {
        const piece = await this.provider.continue(call, this.signal);
        this.signal.throwIfAborted();
        return piece;
      } catch (error) {
        this.signal.throwIfAborted();
        const milliseconds = pauseBeforeRetry(error, attempt);
        if (milliseconds === null) throw error;
        await this.wait(milliseconds);
      }
    }
  }
}

/** Return the first index from `from` on at which the generated characters differ; −1 if none does. */
function firstDifference(both, from, to) {
  const [a, b] = both.map(({ characters, prompt }) => characters.slice(prompt + from, prompt + to));
  const offset = b ? a.findIndex((character, i) => character !== b[i]) : -1;
  return offset < 0 ? -1 : from + offset;
}

function describeDifference(both, index, u) {
  const draws = both.map((continuation) => continuation.drawAt(index));
  const sides = draws.map(({ sorted, drawn }, i) => describeSide(both[i].alphabet, sorted, drawn, draws[1 - i].drawn.character));
  return { at: index, u, digits: digitsFor(u, draws.map(({ drawn }) => drawn)), sides };
}

/**
 * Describe one distribution: rows of the most probable characters and segments of the bar.
 *
 * The rows include the character that the other text has, if the model knows it.
 */
function describeSide(alphabet, sorted, drawn, other) {
  const characters = sorted.order.map((id) => alphabet[id]);
  const otherRank = characters.indexOf(other);
  const required = new Set([drawn.rank, ...(otherRank < 0 ? [] : [otherRank])]);
  const others = characters.map((_, rank) => rank).filter((rank) => !required.has(rank));
  const ranks = [...required, ...others.slice(0, MAX_ROWS - required.size)].sort((a, b) => a - b);
  const row = (rank) => ({ rank, character: characters[rank], cut: rank >= sorted.kept, p: sorted.probs[rank], from: edge(sorted, rank) });
  const segments = Math.max(1, sorted.probs.filter((p) => p >= MIN_SEGMENT).length);
  const pieces = characters.slice(0, segments).map((character, rank) => [character, sorted.probs[rank]]);
  return { rows: ranks.map(row), pieces, drawn, other, kept: sorted.kept, of: characters.length };
}

/** Return the cumulative probability of the first `length` characters; those that a filter removed have none. */
function edge({ cumulative, kept }, length) {
  return length ? cumulative[Math.min(length, kept) - 1] / cumulative[kept - 1] : 0;
}

/** Return the number of digits, at least 3, that show u between the ends of both intervals. */
function digitsFor(u, intervals) {
  for (let digits = 3; digits < MAX_DIGITS; digits++) {
    const [shown, ...ends] = [u, ...intervals.flatMap(({ low, high }) => [low, high])].map((value) => Number(value.toFixed(digits)));
    if (intervals.every((_, i) => ends[2 * i] < shown && shown < ends[2 * i + 1])) return digits;
  }
  return MAX_DIGITS;
}
