// The text of a page: given, generated and chosen characters, the undo history, and the generation loop.
//
// No DOM: views listen to the messages, a provider computes. Characters are code points; positions start at 0.
//
// A provider is { read(request), continue(request) }, both -> Promise of a piece:
//   { text, columns, logits, draws, … }, and if request.start is 0 also { model, view, prompt, known, notice, startDraw, startLogits }:
//   a description of the model, and the text without its unknown characters (null if all are known).
// It throws Unreachable without a response, Busy to be asked again later, and Error for an invalid request.

import { UndoHistory } from "./undo_history.js";

export const MAX_TEXT_CHARS = 24_000;
export const MAX_READ_CHARS = 20_000; // of a text to score; the rest is room for a continuation
export const MAX_RUN_CHARS = 3000; // of one press of Write
export const MAX_SEED = 2 ** 32 - 1;
const MAX_PIECE = 400;
const MAX_CALL_CHARS = 1000; // scored by one call
const FIRST_SECONDS = 0.25; // of text in the first piece
const RESERVE_SECONDS = 1; // of text generated ahead of the shown one
const RETRY_MS = [500, 1000, 2000, 4000]; // while the provider is unreachable

/** The provider is unreachable, maybe temporarily. */
export class Unreachable extends Error {}

/** The provider is overloaded; ask again after `milliseconds`. */
export class Busy extends Error {
  constructor(milliseconds) {
    super("busy");
    this.milliseconds = milliseconds;
  }
}

export const NO_INTERVENTIONS = { clamps: [], recurrent_scale: 1 };
const EMPTY = { characters: [], prompt: 0, seed: 7, span: 400, limit: 0, edits: new Map(), recipe: null, writers: [] };
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const sorted = (edits) => [...edits].sort(([one], [other]) => one - other);
export const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const note = (text) => ({ kind: "note", text });
const problem = (text) => ({ kind: "problem", text });

export class Session {
  /** `wait` is replaced in tests. */
  constructor(provider, { wait = sleep } = {}) {
    this.provider = provider;
    this.wait = wait;
    this.state = "empty"; // empty | writing | paused | finished
    this.checkpoint = null; // { name, step }
    this.settings = { temperature: 0.8, top_k: 0, top_p: 1, min_p: 0 };
    this.speed = 30; // characters per second; 0 is as fast as possible
    this.interventions = NO_INTERVENTIONS;
    this.view = ""; // activation in the heatmap; "" is the model's first
    this.text = { ...EMPTY, run: 0, edits: new Map() };
    this.runs = 0; // number of texts so far
    this.shownLength = null; // characters on the page; null (all) until a view reports them
    this.model = null; // of the latest answer
    this.history = new UndoHistory();
    this.listeners = [];
    this.epoch = 0; // number of the latest action; pending results of older ones are dropped
    this.needsRead = true; // the views lack the outputs of the current model
    this.atOnce = false; // the text is generated without pacing, in the state `finished`
    this.stale = false; // the last request was made with older settings
    this.retained = 0; // characters to keep although they are not shown yet
    this.replaced = null; // the shown text, until the new one has begun
    this.preface = null; // a notice to show with the next text
    this.notice = null; // the latest one
    this.waiting = false; // for a busy or unreachable provider
    this.pending = null; // { controller, refresh } of the pending call
  }

  // ------------------------------------------------------------------ listeners and state

  onMessage(listener) {
    this.listeners.push(listener);
  }

  get length() {
    return this.text.characters.length;
  }

  get written() {
    return this.length - this.text.prompt;
  }

  /** The request that reproduces this text; null if settings changed midway. */
  get recipe() {
    return this.text.recipe;
  }

  /** Record the number of characters on the page, reported by a view. */
  shown(length) {
    this.shownLength = length;
    this.#wake();
  }

  // ------------------------------------------------------------------ new texts

  /** Generate a new text: { prompt, seed, characters, edits }; without pacing if `instant`. */
  async write({ prompt, seed, characters, edits = [], instant = false }) {
    const wrong = outOfRange(seed, characters);
    if (wrong) return this.say(problem(wrong));
    const epoch = this.#begin();
    this.#start({ prompt, seed, characters, edits });
    if (instant) return this.#writeAtOnce(epoch, characters);
    return this.#run(epoch);
  }

  /** Score a text instead of generating one; it can be continued. */
  async read({ text, seed, characters, write = 0 }) {
    const given = Array.from(text);
    const known = this.model && new Set(this.model.characters);
    const wrong = unreadable(given, known) || outOfRange(seed, characters);
    if (wrong) return this.say(problem(wrong));
    const epoch = this.#begin();
    this.#replace({ characters: given, prompt: given.length, seed, span: characters, limit: write, edits: new Map() });
    this.#setRecipe({ read: text });
    if (write) return this.#writeAtOnce(epoch, write);
    this.state = "paused";
    return this.#guard(epoch, () => this.#reread(epoch));
  }

  /** Regenerate the text with the same draws and another checkpoint, settings or interventions. */
  async rewrite({ checkpoint = this.checkpoint, settings = this.settings, interventions = this.#fitting(checkpoint) } = {}) {
    const old = this.text;
    const before = this.state;
    const epoch = this.#begin();
    if (!old.rewritten) this.#remember(before);
    Object.assign(this, { checkpoint, settings, interventions });
    const limit = before === "writing" ? old.limit : Math.max(1, this.written);
    const prompt = old.characters.slice(0, old.prompt);
    this.#replace({ ...old, characters: prompt, edits: new Map(), limit, rewritten: true, recipe: null, writers: [] }, false);
    this.#setRecipe(old.recipe?.read === undefined ? { prompt: prompt.join("") } : { read: old.recipe.read });
    return this.#run(epoch);
  }

  // ------------------------------------------------------------------ the buttons

  /** Change the settings from the next character on; drops characters that are not shown yet. */
  configure(settings, speed = this.speed) {
    const changed = Object.keys(settings).some((name) => settings[name] !== this.settings[name]);
    this.settings = { ...settings };
    this.speed = speed;
    if (!changed || this.state !== "writing") return;
    this.stale = true;
    if (!this.pending?.refresh) this.pending?.controller.abort();
    this.#wake();
  }

  async pause() {
    return this.state === "writing" ? this.#halt("paused") : undefined;
  }

  async stop() {
    return this.state === "writing" || this.state === "paused" ? this.#halt("finished") : undefined;
  }

  /** Continue the text; a finished text grows by as many characters again. */
  async resume() {
    if (this.state === "writing") return undefined;
    const epoch = this.#begin();
    if (this.written >= this.text.limit) this.text.limit = this.written + this.text.span;
    return this.#run(epoch);
  }

  /** Generate one character; on an empty page the first one of `fresh`, the arguments of `write`. */
  async step(fresh) {
    if (this.state === "writing") return undefined;
    if (this.length >= MAX_TEXT_CHARS) return this.say(this.#full());
    const wrong = this.state === "empty" && outOfRange(fresh.seed, fresh.characters);
    if (wrong) return this.say(problem(wrong));
    const epoch = this.#begin();
    if (this.state === "empty") this.#start(fresh);
    this.state = "paused";
    return this.#writeOne(epoch);
  }

  async clear() {
    const epoch = this.#begin();
    this.#replace({ ...EMPTY, seed: this.text.seed, span: this.text.span, edits: new Map() });
    this.state = "empty";
    return this.#guard(epoch, () => this.#reread(epoch));
  }

  /** Replace a generated character; the text after it is drawn again. */
  async branch(position, character) {
    const { text } = this;
    const index = position - text.prompt;
    if (index < 0) return this.say(problem(`Character ${position + 1} was given, not written: choose one after the prompt.`));
    if (position > this.length || position >= MAX_TEXT_CHARS) {
      return this.say(problem(`There is no character ${position + 1}: the text has ${this.length}.`));
    }
    const epoch = this.#begin();
    this.#remember();
    this.#cut(position);
    for (const at of [...text.edits.keys()]) if (at >= index) text.edits.delete(at);
    text.edits.set(index, character);
    text.rewritten = false;
    if (this.written >= text.limit) text.limit = this.written + text.span;
    if (!this.needsRead) this.#emitColumns("branch", position, null, { edits: sorted(text.edits), writers: text.writers, ...this.history.counts() });
    return this.#run(epoch);
  }

  async undo() {
    return this.#travel("undo");
  }

  async redo() {
    return this.#travel("redo");
  }

  // ------------------------------------------------------------------ checkpoint and view

  /** Score the text with another checkpoint or training step. */
  async choose(checkpoint) {
    this.interventions = this.#fitting(checkpoint);
    this.checkpoint = checkpoint;
    return this.#readAgain();
  }

  /** The interventions, or none for another model, whose units differ. */
  #fitting(checkpoint) {
    return checkpoint?.name === this.checkpoint?.name ? this.interventions : NO_INTERVENTIONS;
  }

  /** Show another activation in the heatmap. */
  async show(view) {
    this.view = view;
    return this.#readAgain();
  }

  // ------------------------------------------------------------------ across a reload

  /** The state that `restore` needs, as JSON. */
  saved() {
    const { characters, prompt, seed, span, limit, edits, recipe, writers } = this.text;
    const { checkpoint, settings, speed, interventions, view } = this;
    const length = this.#shownLength();
    const state = this.state === "writing" ? "paused" : this.state;
    const text = characters.slice(0, length).join("");
    return { text, prompt, seed, span, limit, edits: sorted(edits), recipe, writers, checkpoint, settings, speed, interventions, view, state };
  }

  async restore({ text, prompt, seed, span, limit, edits, recipe, writers, state, ...others }) {
    const epoch = this.#begin();
    Object.assign(this, others);
    this.#replace({ characters: Array.from(text), prompt, seed, span, limit, edits: new Map(edits), recipe, writers }, false);
    this.state = state;
    return this.#guard(epoch, () => this.#reread(epoch));
  }

  /** Show a notice above the text. */
  say(notice) {
    this.#emit("state", { notice });
  }

  // ------------------------------------------------------------------ generation loop

  /** Generate up to the limit; ends when another action begins. */
  async #run(epoch) {
    this.state = "writing";
    this.stale = false;
    this.#emit("state");
    let first = true;
    await this.#guard(epoch, async () => {
      while (this.epoch === epoch) {
        if (this.stale) {
          this.#dropAhead();
          this.stale = false;
          first = true;
        }
        const n = this.#due(first);
        if (n > 0) {
          const piece = await this.#piece(epoch, n, first);
          if (!piece) continue; // superseded, or the settings changed
          const from = this.length;
          this.#append(piece, this.needsRead);
          if (this.stale) this.retained = from + 1; // a dragged slider does not stop the text
          first = false;
        } else if (this.#isFull() && this.#shownLength() >= this.length) {
          this.state = "finished";
          this.#emit("state", this.length >= MAX_TEXT_CHARS ? { notice: this.#full() } : {});
          return;
        } else {
          await this.#changed();
        }
      }
    });
  }

  /** Number of characters to request now; 0 if enough are ready to be shown. */
  #due(first) {
    const room = Math.min(this.text.limit - this.written, MAX_TEXT_CHARS - this.length);
    const ahead = this.length - this.#shownLength();
    if (room <= 0) return 0;
    if (!this.speed) return ahead < MAX_PIECE ? Math.min(room, MAX_PIECE) : 0;
    if (first) return Math.min(room, Math.max(1, Math.round(this.speed * FIRST_SECONDS)));
    return ahead < this.speed * RESERVE_SECONDS ? Math.min(room, MAX_PIECE, Math.ceil(this.speed * RESERVE_SECONDS)) : 0;
  }

  #isFull() {
    return this.written >= this.text.limit || this.length >= MAX_TEXT_CHARS;
  }

  #writeOne(epoch) {
    return this.#guard(epoch, async () => {
      const piece = await this.#piece(epoch, 1);
      if (piece) this.#append(piece, this.needsRead);
    });
  }

  async #writeAtOnce(epoch, characters) {
    this.state = "finished";
    this.atOnce = true;
    await this.#guard(epoch, async () => {
      while (this.epoch === epoch && this.written < characters) {
        const piece = await this.#piece(epoch, Math.min(characters - this.written, MAX_CALL_CHARS));
        if (piece) this.#append(piece, this.needsRead, true);
      }
    });
    if (this.epoch === epoch) this.atOnce = false;
  }

  /** Request the next n characters, and outputs that the views lack; null if another action has begun. */
  async #piece(epoch, n, refresh = false) {
    if (this.needsRead && this.length > MAX_CALL_CHARS) await this.#reread(epoch);
    if (this.epoch !== epoch) return null;
    const start = this.needsRead ? 0 : this.length;
    return this.#call("continue", { start, count: n }, refresh);
  }

  /** Score the whole text with the current model, a call at a time. */
  async #reread(epoch) {
    let piece = await this.#call("read", { start: 0, count: 0 });
    if (!piece) return;
    this.#append(piece, true, true);
    while (this.epoch === epoch && this.known < this.length) {
      piece = await this.#call("read", { start: this.known, count: 0 });
      if (!piece) return;
      this.#emitColumns("more", this.known, piece, { instant: Infinity });
    }
    if (this.epoch === epoch) this.needsRead = false;
  }

  async #readAgain() {
    this.needsRead = true;
    if (this.state === "writing" || this.atOnce) {
      this.stale = true;
      this.pending?.controller.abort();
      this.#wake();
      return undefined;
    }
    const epoch = this.#begin(false);
    return this.#guard(epoch, () => this.#reread(epoch));
  }

  /** Call the provider, with retries; null if another action or other settings came in between. */
  async #call(method, more, refresh = false) {
    const { text, checkpoint, settings, interventions, view } = this;
    const common = { ...settings, ...interventions, checkpoint, view, seed: text.seed, prompt: text.prompt };
    const request = { ...common, text: text.characters.join(""), edits: sorted(text.edits), ...more };
    const controller = new AbortController();
    this.pending = { controller, refresh };
    for (let attempt = 0; !controller.signal.aborted; attempt++) {
      try {
        const piece = await this.provider[method](request, controller.signal);
        if (controller.signal.aborted) return null;
        if (this.waiting) this.#emit("state", { notice: null });
        this.waiting = false;
        piece.settings = settings;
        return piece;
      } catch (error) {
        if (controller.signal.aborted) return null;
        if (error instanceof Busy) await this.#waitFor(error.milliseconds, "The server is busy: the text goes on by itself.");
        else if (error instanceof Unreachable) {
          const milliseconds = RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)];
          await this.#waitFor(milliseconds, "The server cannot be reached. The text is kept here, and goes on by itself when it is back.");
        } else throw error;
      }
    }
    return null;
  }

  async #waitFor(milliseconds, words) {
    if (!this.waiting) this.#emit("state", { notice: problem(words) });
    this.waiting = true;
    await this.wait(milliseconds);
  }

  /** Show errors of the latest action; the text stays. */
  async #guard(epoch, act) {
    try {
      await act();
    } catch (error) {
      if (this.epoch !== epoch) return;
      if (this.replaced) this.#takeBack();
      if (this.state === "writing") this.state = "paused";
      this.#emit("state", { notice: problem(error.message) });
    }
  }

  // ------------------------------------------------------------------ the text

  #begin(halts = true) {
    this.epoch += 1;
    this.pending?.controller.abort();
    this.atOnce = false;
    if (this.waiting) this.#emit("state", { notice: null });
    this.waiting = false;
    if (halts && this.state === "writing") this.#dropAhead();
    this.#wake();
    return this.epoch;
  }

  /** Stop generating; a chosen character at the end of the text is still appended. */
  async #halt(state) {
    const epoch = this.#begin();
    this.state = state;
    this.#emit("state");
    if (this.text.edits.has(this.written)) await this.#writeOne(epoch);
  }

  #remember(state = this.state) {
    if (state !== "empty") this.history.add(this.#version(state));
  }

  #version(state = this.state) {
    const text = { ...this.text, characters: [...this.text.characters], edits: new Map(this.text.edits) };
    return { text, state: state === "writing" ? "paused" : state };
  }

  #replace(text, remember = true) {
    this.replaced ??= { ...this.#version(), needsRead: this.needsRead, history: this.history.copy() };
    if (remember) this.#remember();
    this.runs += 1;
    this.text = { recipe: null, rewritten: false, writers: [], ...text, run: this.runs };
    this.needsRead = true;
    this.state = "writing";
  }

  /** Restore the shown text after a new one could not begin. */
  #takeBack() {
    const { text, state, needsRead, history } = this.replaced;
    Object.assign(this, { text, state, needsRead, history, replaced: null });
  }

  #start({ prompt, seed, characters, edits = [] }) {
    const given = Array.from(prompt);
    this.#replace({ characters: given, prompt: given.length, seed, span: characters, limit: characters, edits: new Map(edits) });
    this.#setRecipe({ prompt });
  }

  #setRecipe(given) {
    const { settings, checkpoint, interventions } = this;
    this.text.recipe = { settings: { ...settings }, checkpoint, interventions, ...given };
  }

  async #travel(direction) {
    if (!this.history.counts()[direction]) return undefined;
    const epoch = this.#begin();
    const version = this.history[direction](this.#version());
    const old = this.text.characters;
    const { characters } = version.text;
    const shorter = Math.min(old.length, characters.length);
    let common = 0;
    while (common < shorter && old[common] === characters[common]) common += 1;
    this.text = { ...version.text, characters: [...characters], edits: new Map(version.text.edits) };
    this.state = version.state;
    this.needsRead = true;
    this.divergedAt = common;
    return this.#guard(epoch, () => this.#reread(epoch));
  }

  #shownLength() {
    return Math.min(this.shownLength ?? this.length, this.length);
  }

  #cut(length) {
    this.text.characters.length = Math.min(length, this.length);
    this.text.writers = this.text.writers.filter(([at]) => at < length);
  }

  /** Drop characters that are not shown yet; they are drawn again when needed. */
  #dropAhead() {
    const length = Math.max(this.#shownLength(), this.text.prompt, this.retained);
    this.retained = 0;
    if (length >= this.length) return;
    this.#cut(length);
    if (!this.needsRead) this.#emitColumns("branch", length, null, { edits: sorted(this.text.edits), writers: this.text.writers });
  }

  /** Append a piece to the text and show it; `whole`: it begins at the start of the text. */
  #append(piece, whole, instant = false) {
    const characters = Array.from(piece.text);
    const { text } = this;
    if (!whole) {
      const from = this.length;
      text.characters.push(...characters);
      this.#noteWriter(from, piece);
      return this.#emitColumns("more", from, piece, { writers: text.writers, ...(instant ? { instant: Infinity } : {}) });
    }
    if (piece.known !== null) {
      const { written } = this;
      text.characters = Array.from(piece.known);
      const cameSo = written === text.characters.length - piece.prompt && same(text.recipe?.checkpoint, this.checkpoint);
      if (!cameSo) Object.assign(text, { edits: new Map(), recipe: null }); // else only the recipe's own prompt or text was shortened
    }
    text.prompt = piece.prompt;
    this.model = piece.model;
    const given = text.characters.length;
    if (characters.length > given) {
      text.characters.push(...characters.slice(given));
      this.#noteWriter(given, piece);
    }
    this.replaced = null;
    const alphabet = new Set(piece.model.characters);
    for (const [at, character] of text.edits) if (!alphabet.has(character)) text.edits.delete(at);
    const at = { divergedAt: this.divergedAt };
    this.divergedAt = undefined;
    this.#emitColumns("start", 0, piece, {
      model: piece.model,
      view: piece.view,
      prompt: text.prompt,
      seed: text.seed,
      span: text.span,
      limit: text.limit,
      startLogits: piece.startLogits,
      startDraw: piece.startDraw,
      edits: sorted(text.edits),
      writers: text.writers,
      instant: instant ? this.length : given,
      notice: this.#opening(piece.notice),
      ...this.history.counts(),
      ...at,
    });
    this.needsRead = this.known < this.length;
    return undefined;
  }

  /** The notice of a new text, after the notice about its request. */
  #opening(notice) {
    const { preface } = this;
    this.preface = null;
    if (!preface || !notice) return preface || notice;
    return { kind: preface.kind, text: preface.text + " " + notice.text };
  }

  /** Record the model of the characters from a position on; drop the recipe if it no longer reproduces the text. */
  #noteWriter(from, { settings }) {
    const { title, sha256, step } = this.model;
    const { clamps, recurrent_scale: scale } = this.interventions;
    const changed = [...(clamps.length ? ["clamped"] : []), ...(scale === 1 ? [] : [`W_hh × ${scale}`])];
    const writer = { title: [title, ...changed].join(", "), sha256, step, settings };
    const { recipe, writers } = this.text;
    if (!same(writers.at(-1)?.[1], writer)) this.text.writers = [...writers, [from, writer]];
    if (!recipe) return;
    const { checkpoint, interventions } = this;
    if (Object.entries({ settings, checkpoint, interventions }).some(([name, value]) => !same(recipe[name], value))) this.text.recipe = null;
  }

  #full() {
    return note(`The page holds ${MAX_TEXT_CHARS} characters: press Write for a new text.`);
  }

  // ------------------------------------------------------------------ messages

  #emitColumns(kind, from, piece, more) {
    const { text = "", columns = [], logits = [], draws = [] } = piece || {};
    this.known = from + Array.from(text).length; // characters whose outputs the views have
    this.#emit(kind, { from, text, columns, logits, draws, ...more });
  }

  #emit(kind, more = {}) {
    if (more.notice !== undefined) this.notice = more.notice;
    const message = { kind, run: this.text.run, state: this.state, ...more };
    for (const listener of this.listeners) listener(message);
  }

  #wake() {
    this.woken?.();
    this.woken = null;
  }

  /** Resolve when anything that the loop waits for has changed. */
  #changed() {
    return new Promise((resolve) => (this.woken = resolve));
  }
}

/** Describe an invalid seed or number of characters; null if both are valid. */
function outOfRange(seed, characters) {
  const whole = (value, low, high) => Number.isInteger(value) && low <= value && value <= high;
  if (!whole(seed, 0, MAX_SEED)) return `seed is ${JSON.stringify(seed)}: give a whole number from 0 to ${MAX_SEED}`;
  if (!whole(characters, 1, MAX_RUN_CHARS)) {
    return `characters is ${JSON.stringify(characters)}: give a whole number from 1 to ${MAX_RUN_CHARS}`;
  }
  return null;
}

/** Describe the problem with a text to score; null without one. known: the model's characters, if there is a model. */
function unreadable(given, known) {
  if (!given.length) return "the text is empty: paste a text to read";
  if (given.length > MAX_READ_CHARS) return `the text has ${given.length} characters: give at most ${MAX_READ_CHARS}`;
  if (known && !given.some((character) => known.has(character))) return "the text has no character that this model knows";
  return null;
}
