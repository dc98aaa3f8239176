// Reads a safetensors file: 8 bytes with the length of a JSON header, the header, the numbers of all tensors.

const MAX_HEADER = 1 << 24;
const SIZES = { F64: 8, F32: 4, F16: 2, BF16: 2 };

function problem(what) {
  return new Error(`This is no safetensors file that can be read: ${what}.`);
}

/** ArrayBuffer -> Map of name -> { data, shape }: a Float64Array for F64, else a Float32Array. Throws what does not fit. */
export function readSafetensors(buffer) {
  if (buffer.byteLength < 8) throw problem(`it has ${buffer.byteLength} bytes`);
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  if (length > Math.min(MAX_HEADER, buffer.byteLength - 8)) throw problem(`its header has ${length} bytes`);
  const start = 8 + length;
  const room = buffer.byteLength - start;
  let header;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, 8, length)));
  } catch {
    throw problem("its header is not JSON");
  }
  if (header === null || typeof header !== "object" || Array.isArray(header)) throw problem("its header is not an object");
  const tensors = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets: offsets } = entry ?? {};
    if (!Object.hasOwn(SIZES, dtype)) throw problem(`${name} is ${dtype}, not ${Object.keys(SIZES).join(", ")}`);
    const whole = (list) => Array.isArray(list) && list.every((value) => Number.isSafeInteger(value) && value >= 0);
    if (!whole(shape) || !whole(offsets) || offsets.length !== 2) throw problem(`${name} has no shape or no place`);
    const [from, to] = offsets;
    const bytes = shape.reduce((product, size) => product * size, SIZES[dtype]);
    if (to > room || to - from !== bytes) throw problem(`${name} is at ${from} to ${to}, and needs ${bytes} of ${room} bytes`);
    tensors.set(name, { data: numbers(buffer.slice(start + from, start + to), dtype), shape });
  }
  return tensors;
}

function numbers(bytes, dtype) {
  if (dtype === "F64") return new Float64Array(bytes);
  if (dtype === "F32") return new Float32Array(bytes);
  const halves = new Uint16Array(bytes);
  const wide = new Float32Array(halves.length);
  if (dtype === "BF16") new Uint32Array(wide.buffer).forEach((_, k, words) => (words[k] = halves[k] << 16));
  else {
    table ??= Float32Array.from({ length: 65536 }, (_, bits) => half(bits));
    for (let k = 0; k < wide.length; k++) wide[k] = table[halves[k]];
  }
  return wide;
}

let table = null; // the values of all half-precision numbers

/** The value of a half-precision number, by its bits. */
function half(bits) {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
}
