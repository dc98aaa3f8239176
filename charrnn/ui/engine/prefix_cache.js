// Cache of decoder states after recent prefixes, so that a text that is continued is not read again.

const MAX_BYTES = 64 * 2 ** 20;
const MAX_ENTRIES = 512;

export class PrefixCache {
  constructor(maxBytes = MAX_BYTES) {
    this.maxBytes = maxBytes;
    this.entries = new Map(); // key and text -> entry, least recently used first
    this.bytes = 0;
  }

  /** Return the entry of the longest cached prefix of a text, of at most `limit` characters; null without any. */
  longest(key, text, limit) {
    let found = null;
    for (const entry of this.entries.values()) {
      if (entry.key === key && entry.length <= limit && entry.length > (found?.length ?? 0) && text.startsWith(entry.text)) found = entry;
    }
    if (found) this.#put(found);
    return found;
  }

  /** Add a snapshot of the decoder after a text. length: of the text, in code points. Evicts the least recently used entries. */
  put(key, text, length, snapshot) {
    this.#put({ key, text, length, snapshot, bytes: snapshot.bytes + 2 * text.length });
    while (this.bytes > this.maxBytes || this.entries.size > MAX_ENTRIES) this.#remove(this.entries.keys().next().value);
  }

  #put(entry) {
    const name = entry.key + "\n" + entry.text;
    this.#remove(name);
    this.entries.set(name, entry);
    this.bytes += entry.bytes;
  }

  #remove(name) {
    this.bytes -= this.entries.get(name)?.bytes ?? 0;
    this.entries.delete(name);
  }
}
