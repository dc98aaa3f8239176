// The data of one text by position: characters, activations, logits, random draws.

import { logitSurprisal } from "./sampler.js";

export const MAX_LEVEL = 127; // full color

export class TextRecord {
  constructor(start) {
    this.run = start.run;
    this.model = start.model; // {name, title, step, views, characters, sha256}
    this.view = start.view; // {name, rows, low, high, change, bounded, orders: {similarity: [row, …], activity: […]}, named}
    this.prompt = start.prompt; // number of prompt characters
    this.isRead = start.isRead; // the prompt is a text to score
    this.rows = start.view.rows;
    this.vocabulary = Array.from(start.model.characters); // code points, as Python counts them
    this.ids = new Map(this.vocabulary.map((character, id) => [character, id]));
    this.vocabularySize = this.vocabulary.length;
    this.startLogits = start.startLogits;
    this.startDraw = start.startDraw;
    this.edits = start.edits || []; // [[offset from the end of the prompt, character], …]
    this.edited = new Set(this.edits.map(([offset]) => offset));
    this.writers = start.writers || []; // [[position, writer], …]: the generating model from there on
    this.characters = [];
    this.reserve(256);
  }

  /** Allocate arrays for this many characters. */
  reserve(length) {
    const grow = (Type, old, width) => {
      const array = new Type(length * width);
      if (old) array.set(old);
      return array;
    };
    this.capacity = length;
    this.columns = grow(Float32Array, this.columns, this.rows);
    this.logits = grow(Float32Array, this.logits, this.vocabularySize);
    this.draws = grow(Float64Array, this.draws, 1);
  }

  get length() {
    return this.characters.length;
  }

  /** Truncate to the position where a message begins, take its edits and append its data; false if it begins beyond the end. */
  branch(message) {
    if (message.from > this.length) return false;
    this.characters.length = message.from;
    this.edits = message.edits;
    this.edited = new Set(this.edits.map(([offset]) => offset));
    return this.append(message);
  }

  /** Return the sources of the characters from … to: [{characters, writer, chosen}, …], writer null for the prompt. */
  parts(from, to) {
    const starts = [[0, null], ...this.writers.map(([start, writer]) => [Math.max(start, this.prompt), writer])];
    return starts
      .map(([start, writer], i) => {
        const [first, end] = [Math.max(from, start), Math.min(to, starts[i + 1]?.[0] ?? this.length)];
        const isInside = (position) => first <= position && position < end;
        const chosen = writer ? [...this.edited].filter((offset) => isInside(offset + this.prompt)).length : 0;
        return { characters: Math.max(0, end - first), writer, chosen };
      })
      .filter(({ characters }) => characters);
  }

  /** Check if the user chose the character at position i. */
  isChosen(i) {
    return this.edited.has(i - this.prompt);
  }

  /** Return the length of the common prefix with another text. */
  commonPrefix(other) {
    const differs = this.characters.findIndex((character, i) => character !== other.characters[i]);
    return differs < 0 ? this.length : differs;
  }

  /** Append the data of a message; returns false if earlier data are missing. */
  append(message) {
    if (message.from !== this.length) return false;
    const characters = Array.from(message.text);
    const length = this.length + characters.length;
    if (length > this.capacity) this.reserve(Math.max(2 * this.capacity, length));
    this.columns.set(message.columns, this.length * this.rows);
    this.logits.set(message.logits, this.length * this.vocabularySize);
    this.writers = message.writers ?? this.writers;
    message.draws.forEach((u, i) => (this.draws[this.length + i] = u === null ? NaN : u));
    this.characters.push(...characters);
    return true;
  }

  /** Return the activation of a row after position i; 0 before the text. */
  value(i, row) {
    return i < 0 ? 0 : this.columns[i * this.rows + row];
  }

  /** Return the change of a row at position i. */
  change(i, row) {
    return this.value(i, row) - this.value(i - 1, row);
  }

  /** Return the color level of a value or change, −127 … 127, clipped. */
  level(i, row, change) {
    const share = change ? this.change(i, row) / this.view.change : this.value(i, row) / this.view.high;
    return Math.round(MAX_LEVEL * Math.max(-1, Math.min(1, share)));
  }

  /** Return the logits of the character after position i; −1 is the start of the text. */
  logitsAfter(i) {
    return i < 0 ? this.startLogits : this.logits.subarray(i * this.vocabularySize, (i + 1) * this.vocabularySize);
  }

  /** Return the surprisal in bits of the character at position i, without temperature and filters. */
  surprisal(i) {
    return logitSurprisal(this.logitsAfter(i - 1), this.ids.get(this.characters[i]));
  }

  /** Return the draw u of the character after position i; null without one. */
  drawAfter(i) {
    const u = i < 0 ? this.startDraw : this.draws[i];
    return u === null || Number.isNaN(u) ? null : u;
  }
}
