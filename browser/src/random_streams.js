// NumPy's random numbers: Philox 4x64 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") and its
// normal numbers in float32, by the ziggurat of Marsaglia and Tsang 2000. `keras_t2i_runtime/random_streams.py`
// says what seed and purpose are.

const WORD = (1n << 64n) - 1n;
const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
const WEYL = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];
const f = Math.fround;

/** A stream of uint32, as `random_stream(seed, purpose, index)` has it. */
export class Philox {
  /** seed, purpose, index: BigInt below 2^64. */
  constructor(seed, purpose, index = 0n) {
    this.key = [seed, purpose];
    this.index = index;
    this.count = 0n;
    this.left = []; // uint32 that were computed and not asked for
  }

  uint32() {
    if (!this.left.length) {
      this.count += 1n;
      // Of each uint64 the lower half first; from the end, for `pop`.
      this.left = this.block().flatMap((word) => [Number(word & 0xffffffffn), Number(word >> 32n)]).reverse();
    }
    return this.left.pop();
  }

  /** Four uint64 of the counter, by ten rounds. */
  block() {
    let [a, b, c, d] = [this.count & WORD, this.count >> 64n, 0n, this.index];
    let [k, l] = this.key;
    for (let round = 0; round < 10; round++) {
      const left = MULTIPLIERS[0] * a;
      const right = MULTIPLIERS[1] * c;
      [a, b, c, d] = [(right >> 64n) ^ b ^ k, right & WORD, (left >> 64n) ^ d ^ l, left & WORD];
      [k, l] = [(k + WEYL[0]) & WORD, (l + WEYL[1]) & WORD];
    }
    return [a, b, c, d];
  }

  /** float32 in [0, 1). */
  uniform() {
    return (this.uint32() >>> 8) / 2 ** 24;
  }

  /** n normal numbers, as `Generator(philox).standard_normal(n, dtype="float32")` has them. */
  normal(n) {
    return Float32Array.from({ length: n }, () => this.oneNormal());
  }

  oneNormal() {
    for (;;) {
      const drawn = this.uint32();
      const layer = drawn & 0xff;
      const distance = drawn >>> 9;
      const size = f(distance * WIDTHS[layer]);
      const x = (drawn >>> 8) & 1 ? -size : size;
      if (distance < INSIDE[layer]) return x; // 99.3 % of the time
      if (layer === 0) return this.tail((distance >>> 8) & 1);
      const height = f(f(f(HEIGHTS[layer - 1] - HEIGHTS[layer]) * this.uniform()) + HEIGHTS[layer]);
      if (height < Math.exp(-0.5 * x * x)) return x;
    }
  }

  /** A normal number beyond the ziggurat's last layer. */
  tail(negative) {
    for (;;) {
      const x = f(-f(1 / TAIL) * f(Math.log1p(-this.uniform())));
      const y = -f(Math.log1p(-this.uniform()));
      if (f(y + y) > f(x * x)) return negative ? -f(f(TAIL) + x) : f(f(TAIL) + x);
    }
  }
}

// The ziggurat: 256 layers of equal area under the normal curve, the last from TAIL on. Of each its width and
// height, and up to which of 2^23 distances it lies under the curve.
const TAIL = 3.6541528853610088;
const AREA = 0.004928673233974658;
const [WIDTHS, HEIGHTS, INSIDE] = ziggurat();

function ziggurat() {
  const curve = (x) => Math.exp(-0.5 * x * x);
  const [widths, heights, inside] = [new Float32Array(256), new Float32Array(256), new Uint32Array(256)];
  const bottom = AREA / curve(TAIL);
  let x = TAIL;
  widths[0] = bottom / 2 ** 23;
  widths[255] = TAIL / 2 ** 23;
  heights[0] = 1;
  heights[255] = curve(TAIL);
  inside[0] = Math.round((TAIL / bottom) * 2 ** 23);
  for (let layer = 254; layer > 0; layer--) {
    const narrower = Math.sqrt(-2 * Math.log(AREA / x + curve(x)));
    inside[layer + 1] = Math.round((narrower / x) * 2 ** 23);
    x = narrower;
    widths[layer] = x / 2 ** 23;
    heights[layer] = curve(x);
  }
  return [widths, heights, inside];
}
