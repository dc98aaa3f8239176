// Decodes the arrays of server answers, which `packed` in server/page_messages.py encodes.

/** Decode base64 of little-endian numbers into an array of this type. */
export function decodeArray(base64, Type) {
  return new Type(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer);
}
