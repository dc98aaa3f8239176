// Arrays as base64 in the messages of views, which `packed` in server/page_messages.py encodes.

/** Decode base64 of little-endian numbers into an array of this type. */
export function decodeArray(base64, Type) {
  return new Type(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)).buffer);
}

/** Encode an array as base64 of its little-endian numbers. */
export function encodeArray(array) {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
