// The files of the static page, which are compressed. Each is loaded once, so that it can be shown again without a connection.

import { edition } from "../components/edition.js";

const isGzip = ([first, second]) => first === 0x1f && second === 0x8b; // a server may have decompressed the file

const loaded = new Map(); // name -> Promise of a file's bytes

/** Load a file, if it has not been loaded; returns a Promise of its bytes. */
export function loadFile(name) {
  if (!loaded.has(name)) {
    const bytes = edition.readFile(name);
    loaded.set(name, bytes);
    bytes.catch(() => loaded.delete(name)); // the next call tries again
  }
  return loaded.get(name);
}

/** Return the bytes of a file, decompressed. */
export async function readFile(name) {
  const buffer = await loadFile(name);
  if (!isGzip(new Uint8Array(buffer))) return buffer;
  return new Response(new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** Return the JSON value in a file. */
export const readJson = async (name) => JSON.parse(new TextDecoder().decode(await readFile(name)));
