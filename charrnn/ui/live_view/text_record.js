// Everything the page was sent about one text: characters, states, logits and dice, by position.

/** base64 -> bytes */
function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

export const SCALE = 127; // a state of 1.0 is sent as 127

export class TextRecord {
  constructor(start) {
    this.run = start.run;
    this.serial = start.serial;
    this.model = start.model; // {name, title, step, units, characters, sha256}
    this.prompt = start.prompt; // how many characters were given, not written
    this.orders = start.orders; // {similarity: [unit, …], activity: […]}
    this.units = start.model.units;
    this.vocabulary = Array.from(start.model.characters); // code points, as Python counts them
    this.size = this.vocabulary.length;
    this.startLogits = new Float32Array(bytes(start.start_logits).buffer);
    this.startDraw = start.start_draw;
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
    this.columns = grow(Int8Array, this.columns, this.units);
    this.logits = grow(Float32Array, this.logits, this.size);
    this.draws = grow(Float64Array, this.draws, 1);
  }

  get length() {
    return this.characters.length;
  }

  /** Append what a message brings; false where messages are missing in between. */
  append(message) {
    if (message.from !== this.length) return false;
    const characters = Array.from(message.text);
    const length = this.length + characters.length;
    if (length > this.capacity) this.room(Math.max(2 * this.capacity, length));
    this.columns.set(new Int8Array(bytes(message.columns).buffer), this.length * this.units);
    this.logits.set(new Float32Array(bytes(message.logits).buffer), this.length * this.size);
    message.draws.forEach((u, i) => (this.draws[this.length + i] = u === null ? NaN : u));
    this.characters.push(...characters);
    return true;
  }

  /** The state of a unit after reading position i, −127…127; a text begins with zeros. */
  state(i, unit) {
    return i < 0 ? 0 : this.columns[i * this.units + unit];
  }

  change(i, unit) {
    return this.state(i, unit) - this.state(i - 1, unit);
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
