// Flat fills where a network drew mottled ones: `keras_t2i_runtime/smoothing.py` for one picture.

const COUNTS = [1 / 16, 1 / 4, 3 / 8, 1 / 4, 1 / 16]; // by place, in each direction: a cubic B-spline
const GAPS = [8, 4, 2, 1]; // pixels between those that count, of one pass after another

/**
 * A square picture whose pixels are means of those around, of like ones alone: the edge-avoiding a-trous transform.
 *
 * drawn: Float32Array of side x side x 3 in about [-1, 1], a color beyond counts as what is shown of it; color: number,
 *   0 or more, of colors from 0 to 1.
 */
export function smoothed(drawn, color) {
  if (!color) return drawn;
  const shown = drawn.map((number) => Math.min(Math.max(number, -1), 1));
  return GAPS.reduce((image, gap) => onePass(image, color, gap), shown);
}

function onePass(image, color, gap) {
  const side = Math.round(Math.sqrt(image.length / 3));
  const changed = new Float32Array(image.length);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const here = 3 * (y * side + x);
      const change = [0, 0, 0];
      let total = 0;
      for (let i = 0; i < COUNTS.length; i++) {
        const row = y + (i - 2) * gap;
        if (row < 0 || row >= side) continue;
        for (let j = 0; j < COUNTS.length; j++) {
          const column = x + (j - 2) * gap;
          if (column < 0 || column >= side) continue;
          const there = 3 * (row * side + column);
          const difference = change.map((_, c) => image[there + c] - image[here + c]);
          const squares = difference.reduce((sum, one) => sum + one * one, 0);
          const weight = COUNTS[i] * COUNTS[j] * Math.exp(-squares / (8 * color * color));
          difference.forEach((one, c) => (change[c] += weight * one));
          total += weight;
        }
      }
      change.forEach((one, c) => (changed[here + c] = image[here + c] + one / total));
    }
  }
  return changed;
}
