// A provider without a network: the next character is a hash of the text, the draw, the settings and the model.

import { Busy, Unreachable } from "../../charrnn/ui/session/session.js";

export const ALPHABET = "abcdefg \n😀";
const LETTERS = Array.from(ALPHABET);

function hash(...parts) {
  let h = 2166136261;
  for (const character of JSON.stringify(parts)) h = Math.imul(h ^ character.codePointAt(0), 16777619);
  return (h >>> 0) / 2 ** 32;
}

export const draw = (seed, index) => hash("u", seed, index);

/** Return the character after a text. */
export function next(text, index, { seed, temperature, checkpoint, clamps, recurrent_scale, edits }) {
  const chosen = edits.find(([at]) => at === index);
  if (chosen) return chosen[1];
  const tail = text.slice(-8);
  return LETTERS[Math.floor(hash(tail, draw(seed, index), temperature, checkpoint, clamps, recurrent_scale) * LETTERS.length)];
}

/** Generate so many characters after a prompt without a session; at(i): changes of the request from character i on. */
export function expected(prompt, characters, request, at = () => ({})) {
  const text = Array.from(prompt);
  for (let i = 0; i < characters; i++) text.push(next(text, i, { edits: [], clamps: [], recurrent_scale: 1, ...request, ...at(i) }));
  return text.join("");
}

const viewOf = ({ view, checkpoint }) => `${view || "h"} of ${checkpoint?.name}`;

/** Return the value of every column of a view. */
const mark = (view) => Math.fround(hash(view));

export class FakeProvider {
  constructor() {
    this.calls = [];
    this.faults = []; // errors to throw, in turn
    this.delay = () => Promise.resolve();
  }

  read(request, signal) {
    return this.continue(request, signal);
  }

  async continue(request, signal) {
    this.calls.push(request);
    const fault = this.faults.shift();
    await this.delay(request);
    if (signal.aborted) throw new DOMException("aborted", "AbortError");
    if (fault === "busy") throw new Busy(10);
    if (fault === "away") throw new Unreachable("away");
    if (fault) throw new Error(fault);
    const known = Array.from(request.text).filter((character) => LETTERS.includes(character));
    const dropped = Array.from(request.text)
      .map((character, i) => [i, character])
      .filter(([, character]) => !LETTERS.includes(character));
    const notice = dropped.length ? { kind: "note", text: "Left out " + dropped.map(([i, character]) => `${character} at position ${i}`) } : null;
    const prompt = request.start ? request.prompt : Array.from(request.text).slice(0, request.prompt).filter((c) => LETTERS.includes(c)).length;
    const end = Math.min(known.length, request.start + 1000); // scored by one call
    const text = known.slice(0, end);
    if (end === known.length) for (let i = 0; i < request.count; i++) text.push(next(text, text.length - prompt, request));
    const piece = text.slice(request.start);
    const draws = piece.map((_, i) => (request.start + i + 1 < prompt ? null : draw(request.seed, request.start + i + 1 - prompt)));
    const outputs = { text: piece.join(""), draws, columns: new Float32Array(2 * piece.length).fill(mark(viewOf(request))), logits: new Float32Array(LETTERS.length * piece.length) };
    if (request.start) return outputs;
    const model = { name: request.checkpoint?.name, step: request.checkpoint?.step, characters: ALPHABET, views: ["h"] };
    const view = { name: viewOf(request), rows: 2 };
    return { ...outputs, model, view, prompt, known: dropped.length ? known.join("") : null, notice, startDraw: prompt ? null : draw(request.seed, 0), startLogits: new Float32Array(LETTERS.length) };
  }
}

/** A view: collects the messages, as text_record.js does, and draws when a test calls `draw`, or at once if `instantly`. */
export class View {
  constructor(session, instantly = true) {
    this.session = session;
    this.instantly = instantly;
    this.characters = [];
    this.notices = [];
    session.onMessage((message) => this.receive(message));
  }

  receive(message) {
    this.state = message.state;
    if (message.notice) this.notices.push(message.notice);
    if (message.undo !== undefined) Object.assign(this, { undo: message.undo, redo: message.redo });
    if (message.kind === "start") this.characters = [];
    if (message.kind === "branch") this.characters.length = message.from;
    if (message.text === undefined) return;
    if (message.kind === "start") this.mark = mark(message.view.name);
    if (message.columns.some((value) => value !== this.mark)) throw new Error("columns of another view");
    if (message.from !== this.characters.length) throw new Error(`a gap: ${message.from} after ${this.characters.length}`);
    this.characters.push(...Array.from(message.text));
    if (message.kind === "start") this.session.shown(this.instantly ? this.characters.length : Math.min(this.characters.length, message.instant));
    else if (this.instantly || message.instant) this.session.shown(this.characters.length);
    else this.session.shown(Math.min(this.session.shownLength ?? 0, this.characters.length));
  }

  /** Draw n more characters. */
  draw(n) {
    this.session.shown(Math.min(this.characters.length, this.session.shownLength + n));
  }

  get text() {
    return this.characters.join("");
  }
}
