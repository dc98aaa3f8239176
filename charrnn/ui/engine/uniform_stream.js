// The uniform random numbers of a seed: those of torch.rand(dtype=torch.float64) after torch.Generator().manual_seed(seed).
// The generator is the Mersenne Twister MT19937. Matsumoto & Nishimura 1998.

const SIZE = 624;
const SHIFT = 397;

export class UniformStream {
  /** seed: a whole number from 0 to 2³² − 1. */
  constructor(seed) {
    this.seed = seed;
    this.words = new Uint32Array(SIZE);
    this.words[0] = seed;
    for (let i = 1; i < SIZE; i++) {
      const before = this.words[i - 1];
      this.words[i] = Math.imul(before ^ (before >>> 30), 1812433253) + i;
    }
    this.next = SIZE; // all words are used up
    this.numbers = [];
  }

  /** Return the number with this index, 0 <= u < 1. Indices may come in any order. */
  at(index) {
    while (this.numbers.length <= index) {
      const high = this.#word() % 2 ** 21;
      this.numbers.push((high * 2 ** 32 + this.#word()) / 2 ** 53);
    }
    return this.numbers[index];
  }

  #word() {
    if (this.next === SIZE) this.#twist();
    let word = this.words[this.next++];
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  #twist() {
    const { words } = this;
    for (let i = 0; i < SIZE; i++) {
      const joined = (words[i] & 0x80000000) | (words[(i + 1) % SIZE] & 0x7fffffff);
      words[i] = words[(i + SHIFT) % SIZE] ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
    }
    this.next = 0;
  }
}
