// Everything the session has told about one text: characters, what they left to see, logits and dice, by position.

export const SCALE = 127; // the full colour

export class TextRecord {
  constructor(start) {
    this.run = start.run;
    this.model = start.model; // {name, title, step, views, characters, sha256}
    this.view = start.view; // {name, rows, low, high, change, bounded, orders: {similarity: [row, …], activity: […]}}
    this.prompt = start.prompt; // how many characters were given, not written
    Object.assign(this, { seed: start.seed, span: start.span, limit: start.limit }); // by which it goes on
    this.rows = start.view.rows;
    this.vocabulary = Array.from(start.model.characters); // code points, as Python counts them
    this.size = this.vocabulary.length;
    this.startLogits = start.startLogits;
    this.startDraw = start.startDraw;
    this.edits = start.edits || []; // [[position from the first written character, character], …]
    this.chosen = new Set(this.edits.map(([at]) => at));
    this.writers = start.writers || []; // [[position, writer], …]: who wrote from there on
    this.characters = [];
    this.room(256);
  }

  room(length) {
    const grow = (Type, old, width) => {
      const array = new Type(length * width);
      if (old) array.set(old);
      return array;
    };
    this.capacity = length;
    this.columns = grow(Float32Array, this.columns, this.rows);
    this.logits = grow(Float32Array, this.logits, this.size);
    this.draws = grow(Float64Array, this.draws, 1);
  }

  get length() {
    return this.characters.length;
  }

  /** Go back to where a message branches off; false where that lies beyond what has come. */
  branch(message) {
    if (message.from > this.length) return false;
    this.characters.length = message.from;
    this.edits = message.edits;
    this.chosen = new Set(this.edits.map(([at]) => at));
    return this.append(message);
  }

  /** Who wrote the characters from … to: [{characters, writer, chosen}, …], writer null for what was given. */
  parts(from, to) {
    const cuts = [[0, null], ...this.writers.map(([at, writer]) => [Math.max(at, this.prompt), writer])];
    return cuts
      .map(([at, writer], i) => {
        const [first, end] = [Math.max(from, at), Math.min(to, cuts[i + 1]?.[0] ?? this.length)];
        const chosen = writer ? [...this.chosen].filter((place) => first <= place + this.prompt && place + this.prompt < end).length : 0;
        return { characters: Math.max(0, end - first), writer, chosen };
      })
      .filter(({ characters }) => characters);
  }

  /** Whether the visitor put the character at position i there. */
  isChosen(i) {
    return this.chosen.has(i - this.prompt);
  }

  /** How many characters this text and another have in common from their beginning. */
  common(other) {
    const differs = this.characters.findIndex((character, i) => character !== other.characters[i]);
    return differs < 0 ? this.length : differs;
  }

  /** Append what a message brings; false where messages are missing in between. */
  append(message) {
    if (message.from !== this.length) return false;
    const characters = Array.from(message.text);
    const length = this.length + characters.length;
    if (length > this.capacity) this.room(Math.max(2 * this.capacity, length));
    this.columns.set(message.columns, this.length * this.rows);
    this.logits.set(message.logits, this.length * this.size);
    this.writers = message.writers ?? this.writers;
    message.draws.forEach((u, i) => (this.draws[this.length + i] = u === null ? NaN : u));
    this.characters.push(...characters);
    return true;
  }

  /** What stands in a row after reading position i; a text begins with zeros. */
  value(i, row) {
    return i < 0 ? 0 : this.columns[i * this.rows + row];
  }

  /** What the character at position i changed in a row. */
  change(i, row) {
    return this.value(i, row) - this.value(i - 1, row);
  }

  /** The colour of a value, or of a change, −127…127; what lies beyond the scale has its end's. */
  level(i, row, change) {
    const share = change ? this.change(i, row) / this.view.change : this.value(i, row) / this.view.high;
    return Math.round(SCALE * Math.max(-1, Math.min(1, share)));
  }

  /** The logits of the character that follows position i; −1 is the start of the text. */
  logitsAfter(i) {
    return i < 0 ? this.startLogits : this.logits.subarray(i * this.size, (i + 1) * this.size);
  }

  drawAfter(i) {
    const u = i < 0 ? this.startDraw : this.draws[i];
    return u === null || Number.isNaN(u) ? null : u;
  }
}
