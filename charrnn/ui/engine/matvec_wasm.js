// The matrix product in WebAssembly SIMD, on memory that it shares with JavaScript.
//
// The binary is matvec.wat, assembled: base64.b64encode(wasmtime.wat2wasm(source)) in Python. tests/test_engine.py compares both.

const BINARY =
  `AGFzbQEAAAABCgFgBn9/f39/fwACEAEEcGFnZQZtZW1vcnkCAAEDAgEABwoBBm1hdHZlYwAACvYCAfMCAgJ/CXsgASAFQQN0aiEHA0AgAv0ABAAhCSAC/QAEECEKIAL9AAQgIQsgAv0ABDAhDCAC
   /QAEQCENIAL9AARQIQ4gAv0ABGAhDyAC/QAEcCEQIAEhBgNAIAb9CgMAIQggCSAIIAD9XQMA/V/98gH98AEhCSAKIAggAP1dAwj9X/3yAf3wASEKIAsgCCAA/V0DEP1f/fIB/fABIQsgDCAIIAD9
   XQMY/V/98gH98AEhDCANIAggAP1dAyD9X/3yAf3wASENIA4gCCAA/V0DKP1f/fIB/fABIQ4gDyAIIAD9XQMw/V/98gH98AEhDyAQIAggAP1dAzj9X/3yAf3wASEQIABBwABqIQAgBkEIaiEGIAYg
   B0kNAAsgAyAJ/QsEACADIAr9CwQQIAMgC/0LBCAgAyAM/QsEMCADIA39CwRAIAMgDv0LBFAgAyAP/QsEYCADIBD9CwRwIAJBgAFqIQIgA0GAAWohAyAEQQFrIQQgBA0ACwsAaARuYW1lAk0BABEA
   AVcBAXgCAWIDAXkEBmJsb2NrcwUEY29scwYCYXQHA2VuZAgFdmFsdWUJAnMwCgJzMQsCczIMAnMzDQJzNA4CczUPAnM2EAJzNwMSAQACAAVibG9jawEGY29sdW1u`;

const ROWS = 16; // of a block
const PAGE = 65536;
const bytes = () => Uint8Array.from(atob(BINARY.replace(/\s/g, "")), (character) => character.charCodeAt(0));
const padded = (count) => Math.ceil(count / ROWS) * ROWS;

/** Check if WebAssembly with SIMD is available. */
export const hasSimd = () => typeof WebAssembly === "object" && WebAssembly.validate(bytes());

/** The memory of one network: arrays are allocated from it and never freed. Without SIMD it is an ordinary buffer. */
export class Arena {
  /** size: bytes of all arrays and matrices together, see `arrayBytes` and `matrixBytes`. */
  constructor(size, simd = hasSimd()) {
    this.used = 0;
    const pages = Math.ceil(size / PAGE) + 1;
    if (!simd) {
      this.buffer = new ArrayBuffer(pages * PAGE);
      return;
    }
    const memory = new WebAssembly.Memory({ initial: pages });
    this.buffer = memory.buffer;
    this.matvec = new WebAssembly.Instance(new WebAssembly.Module(bytes()), { page: { memory } }).exports.matvec;
  }

  static arrayBytes = (count) => 8 * (padded(count) + ROWS);
  static matrixBytes = (rows, columns) => 4 * padded(rows) * columns;

  /** Allocate zeros. A block of rows that begins at any of them ends within the allocated memory. */
  array(count) {
    const start = this.used;
    this.used += Arena.arrayBytes(count);
    return new Float64Array(this.buffer, start, count);
  }

  /** Pack a float32 matrix; return (x, b, y) -> a function that writes W x + b to y. All three are arrays of this arena. */
  product(W, rows, columns) {
    const packed = new Float32Array(this.buffer, this.used, padded(rows) * columns);
    this.used += Arena.matrixBytes(rows, columns);
    for (let first = 0, to = 0; first < rows; first += ROWS) {
      const last = Math.min(first + ROWS, rows);
      for (let column = 0; column < columns; column++, to += ROWS) {
        for (let row = first, from = first * columns + column; row < last; row++, from += columns) packed[to + row - first] = W[from];
      }
    }
    const { matvec } = this;
    return (x, b, y) => {
      const [atW, atX, atB, atY, blocks] = [packed.byteOffset, x.byteOffset, b.byteOffset, y.byteOffset, padded(rows) / ROWS];
      return () => matvec(atW, atX, atB, atY, blocks, columns);
    };
  }
}
