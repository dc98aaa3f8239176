// Reads a safetensors file: 8 bytes with the length of a JSON header, the header, the numbers of all tensors.

import { fromHalves } from "../components/half_floats.js";

const MAX_HEADER = 1 << 24;
const SIZES = { F64: 8, F32: 4, F16: 2, BF16: 2 };

function problem(what) {
  return new Error(`This is no safetensors file that can be read: ${what}.`);
}

/** Read the header of an ArrayBuffer: { header, start }, the JSON and the offset of the numbers. Throws an Error if it is invalid. */
export function readHeader(buffer) {
  if (buffer.byteLength < 8) throw problem(`it has ${buffer.byteLength} bytes`);
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  if (length > Math.min(MAX_HEADER, buffer.byteLength - 8)) throw problem(`its header has ${length} bytes`);
  const start = 8 + length;
  let header;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array(buffer, 8, length)));
  } catch {
    throw problem("its header is not JSON");
  }
  if (header === null || typeof header !== "object" || Array.isArray(header)) throw problem("its header is not an object");
  return { header, start };
}

/** Read an ArrayBuffer: Map of name -> { data, shape }, a Float64Array for F64, else a Float32Array. Throws an Error if it is invalid. */
export function readSafetensors(buffer) {
  const { header, start } = readHeader(buffer);
  const room = buffer.byteLength - start;
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
  if (dtype === "F16") return fromHalves(halves);
  return new Float32Array(Uint32Array.from(halves, (bits) => bits << 16).buffer);
}
