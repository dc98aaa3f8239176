// Decodes half-precision numbers.

let table = null; // the values of all 65,536 bit patterns

function valueOf(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}

/** Decode a Uint16Array of bit patterns into a Float32Array. */
export function fromHalves(halves) {
  table ??= Float32Array.from({ length: 65536 }, (_, bits) => valueOf(bits));
  return Float32Array.from(halves, (bits) => table[bits]);
}
