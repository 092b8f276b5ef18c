// Flat fills where a network drew mottled ones: `keras_t2i_runtime/smoothing.py` for one picture.

const DISTANCE = 2.5; // pixels: standard deviation of how much a neighbor counts by where it is
const REACH = 5; // pixels to each side

/**
 * A square picture whose pixels are means of those around, of like ones alone: the bilateral filter.
 *
 * drawn: Float32Array of side x side x 3 in about [-1, 1], a color beyond counts as what is shown of it; color: number,
 *   0 or more, of colors from 0 to 1.
 */
export function smoothed(drawn, color) {
  if (!color) return drawn;
  const image = drawn.map((number) => Math.min(Math.max(number, -1), 1));
  const side = Math.round(Math.sqrt(image.length / 3));
  const changed = new Float32Array(image.length);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const here = 3 * (y * side + x);
      const change = [0, 0, 0];
      let total = 0;
      for (let row = Math.max(0, y - REACH); row <= Math.min(side - 1, y + REACH); row++) {
        for (let column = Math.max(0, x - REACH); column <= Math.min(side - 1, x + REACH); column++) {
          const there = 3 * (row * side + column);
          const difference = change.map((_, c) => image[there + c] - image[here + c]);
          const squares = difference.reduce((sum, one) => sum + one * one, 0);
          const away = (row - y) ** 2 + (column - x) ** 2;
          const weight = Math.exp(-squares / (8 * color * color) - away / (2 * DISTANCE * DISTANCE));
          difference.forEach((one, c) => (change[c] += weight * one));
          total += weight;
        }
      }
      change.forEach((one, c) => (changed[here + c] = image[here + c] + one / total));
    }
  }
  return changed;
}
