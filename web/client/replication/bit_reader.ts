// A frame as a stream of bits, the least significant of a byte first, and the integer codes in it
// (docs/replication.md, Codes). A number has at most 32 bits and comes out unsigned.

/** Why bytes are not a frame. Never leaves the reader: ReplicationReader.read() catches it. */
export class NotAFrame extends Error {}

const frameBytesMax = 1 << 24;
// A word of four bytes and the one behind it are read wherever a code begins.
const padding = 8;
const residualUnary = 3;

/** A signed number from its zigzag: 0, 1, 2, 3 are 0, -1, 1, -2. */
export const unzigzag = (code: number): number => (code >>> 1) ^ -(code & 1);

/** How many bits a number has; 0 has none. */
export const widthOf = (value: number): number => 32 - Math.clz32(value);

export class BitReader {
  #bytes = new Uint8Array(4_096);
  #words = new DataView(this.#bytes.buffer);
  #end = 0;
  #at = 0;

  /** From the first bit of `frame`, which is copied: zeros can follow it then. */
  begin(frame: Uint8Array): void {
    const { length } = frame;
    if (length > frameBytesMax) throw new NotAFrame(`${length} bytes are no frame`);
    if (length + padding > this.#bytes.length) {
      this.#bytes = new Uint8Array(2 * length + padding);
      this.#words = new DataView(this.#bytes.buffer);
    }
    this.#bytes.set(frame);
    this.#bytes.fill(0, length, length + padding);
    this.#end = length * 8;
    this.#at = 0;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  /** At most 32. */
  bits(count: number): number {
    if (count > this.#end - this.#at) throw new NotAFrame("it ends within a number");
    const word = this.#peek();
    this.#at += count;
    return count === 32 ? word >>> 0 : word & ((1 << count) - 1);
  }

  flag(): boolean {
    return this.bits(1) !== 0;
  }

  /** The zeros before a one. */
  unary(most: number): number {
    const zeros = this.#zeros(most + 1);
    if (zeros > most) throw new NotAFrame("a number is longer than any");
    this.#at++;
    return zeros;
  }

  expGolomb(order: number): number {
    const lowBits = this.unary(32 - order) + order;
    const first = lowBits < 31 ? 1 << lowBits : 2 ** lowBits;
    const value = first + this.bits(lowBits) - (1 << order);
    if (value > 0xffff_ffff) throw new NotAFrame("a number has more than 32 bits");
    return value;
  }

  /** `parameter` is at most 20. */
  residual(parameter: number): number {
    const zeros = this.#zeros(residualUnary);
    if (zeros < residualUnary) {
      this.#at++;
      return (zeros << parameter) | this.bits(parameter);
    }
    // Below 2^53, so exact.
    const value = (zeros + this.expGolomb(0)) * 2 ** parameter + this.bits(parameter);
    if (value > 0xffff_ffff) throw new NotAFrame("a residual has more than 32 bits");
    return value;
  }

  /** The next 32 bits, with zeros behind the end. */
  #peek(): number {
    const byte = this.#at >>> 3;
    const shift = this.#at & 7;
    const word = this.#words.getUint32(byte, true);
    if (shift === 0) return word;
    return (word >>> shift) | (this.#bytes[byte + 4]! << (32 - shift));
  }

  /** Takes zeros up to a one, which stays, or to `most` of them. */
  #zeros(most: number): number {
    let zeros = 0;
    for (;;) {
      const word = this.#peek();
      const run = word === 0 ? 32 : 31 - Math.clz32(word & -word);
      const taken = Math.min(run, most - zeros);
      zeros += taken;
      this.#at += taken;
      const isOver = zeros === most || run < 32;
      // A one that is there lies before the end.
      if (this.#at > this.#end || (this.#at === this.#end && zeros < most)) {
        throw new NotAFrame("it ends within a number");
      }
      if (isOver) return zeros;
    }
  }
}
