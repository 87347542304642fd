/**
 * Numbers from 0 to below a size, of which the lowest that is not in it is found in constant time: 32 numbers are the bits
 * of a word, 32 words the bits of a word above, which says which of them are full, and so on. Words of 0 take no memory.
 */

const WORD = 32;
const FULL = 0xffffffff;

export class NumberSet {
  readonly size: number;
  /** The lowest level first; the last has one word. */
  readonly #levels: Map<number, number>[] = [];

  /** @param size 1 to 2^30 */
  constructor(size: number) {
    if (!Number.isInteger(size) || size < 1 || size > 2 ** 30) throw new RangeError(`A set of ${size} numbers.`);
    this.size = size;
    for (let words = Math.ceil(size / WORD); ; words = Math.ceil(words / WORD)) {
      this.#levels.push(new Map());
      if (words === 1) return;
    }
  }

  has(number: number): boolean {
    return ((this.#word(0, Math.floor(number / WORD)) >>> (number % WORD)) & 1) === 1;
  }

  /** @returns whether it was not in it */
  add(number: number): boolean {
    if (this.has(number)) return false;
    let bit = number;
    for (const level of this.#levels) {
      const index = Math.floor(bit / WORD);
      const word = ((level.get(index) ?? 0) | (1 << (bit % WORD))) >>> 0;
      level.set(index, word);
      if (word !== FULL) break;
      bit = index;
    }
    return true;
  }

  /** @returns whether it was in it */
  delete(number: number): boolean {
    if (!this.has(number)) return false;
    let bit = number;
    for (const level of this.#levels) {
      const index = Math.floor(bit / WORD);
      const before = level.get(index) ?? 0;
      const word = (before & ~(1 << (bit % WORD))) >>> 0;
      if (word === 0) level.delete(index);
      else level.set(index, word);
      if (before !== FULL) break;
      bit = index;
    }
    return true;
  }

  /** Add the lowest number that is not in it. @returns that number, or null if all are in it */
  addLowest(): number | null {
    let index = 0;
    for (let level = this.#levels.length - 1; level >= 0; level--) {
      const word = this.#word(level, index);
      if (word === FULL) return null;
      index = index * WORD + lowestZero(word);
    }
    if (index >= this.size) return null;
    this.add(index);
    return index;
  }

  #word(level: number, index: number): number {
    return this.#levels[level]!.get(index) ?? 0;
  }
}

/** Of a word that is not full. */
function lowestZero(word: number): number {
  const zeros = ~word;
  return WORD - 1 - Math.clz32(zeros & -zeros);
}
