// The kept files of the static page, which are compressed.

import { edition } from "../components/edition.js";

const isGzip = ([first, second]) => first === 0x1f && second === 0x8b; // a server may have decompressed the file

/** Return the bytes of a file, decompressed. */
export async function readFile(name) {
  const buffer = await edition.readFile(name);
  if (!isGzip(new Uint8Array(buffer))) return buffer;
  return new Response(new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** Return the JSON value in a file. */
export const readJson = async (name) => JSON.parse(new TextDecoder().decode(await readFile(name)));
