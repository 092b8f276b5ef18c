// A small picture at any size: a network makes smooth fields of it, out of which it is drawn, as
// `keras_t2i_runtime/drawing.py`, `tiling.py` and `fields.py` do it.

const BLOCK = 64; // pixels of the input that the network sees at once, and how many more on each side
const MARGIN = 24;
const BAND = 64; // rows that are drawn before what is done is told

/** Blocks of a side: what the network sees of it, and what of that is the block; each [from, to]. */
export function blocks(side) {
  const size = Math.min(side, BLOCK + 2 * MARGIN);
  if (size === side) return [{ seen: [0, side], own: [0, side] }];
  const firsts = Array.from({ length: Math.ceil(side / BLOCK) }, (_, i) => i * BLOCK);
  return firsts.map((first) => {
    const low = Math.min(Math.max(first - MARGIN, 0), side - size);
    return { seen: [low, low + size], own: [first, Math.min(first + BLOCK, side)] };
  });
}

/**
 * The fields of one picture, Float32Array of `(side * nodes, side * nodes, channels)` each, side a multiple of 4.
 *
 * network: async function of images and noise level to `logits` and `colors`; told: the export's settings of the
 * renderer, slots and nodes; image: Float32Array `(side, side, 3)` in [-1, 1], its border repeated to fit (`padded`).
 */
export async function fieldsOf(network, told, image, side) {
  const fields = {};
  const channels = { logits: told.slots, colors: 4 * told.slots };
  for (const [name, n] of Object.entries(told.nodes)) {
    fields[name] = new Float32Array((side * n) ** 2 * channels[name]);
  }
  for (const down of blocks(side)) {
    for (const across of blocks(side)) {
      const size = down.seen[1] - down.seen[0];
      const seen = new Float32Array(size * size * 3);
      for (let y = 0; y < size; y++) {
        const start = ((down.seen[0] + y) * side + across.seen[0]) * 3;
        seen.set(image.subarray(start, start + size * 3), y * size * 3);
      }
      const said = await network({ images: seen, noise_level: Float32Array.of(told.noise_level) }, size);
      for (const [name, n] of Object.entries(told.nodes)) {
        const c = channels[name];
        const [left, right] = across.own.map((pixel) => pixel * n);
        for (let y = down.own[0] * n; y < down.own[1] * n; y++) {
          const start = ((y - down.seen[0] * n) * size * n + left - across.seen[0] * n) * c;
          fields[name].set(said[name].subarray(start, start + (right - left) * c), (y * side * n + left) * c);
        }
      }
    }
  }
  return fields;
}

/** A square picture whose border is repeated on the right and below until its side is a multiple of 4. */
export function padded(image, side) {
  const larger = side + (-side & 3);
  const found = new Float32Array(larger * larger * 3);
  for (let i = 0; i < larger * larger; i++) {
    const y = Math.min(Math.floor(i / larger), side - 1);
    const x = Math.min(i % larger, side - 1);
    for (let c = 0; c < 3; c++) found[3 * i + c] = image[3 * (y * side + x) + c];
  }
  return { image: found, side: larger };
}

/**
 * Which nodes of a row count at the middles of `size` pixels that `side` input pixels are drawn as, and how much: a
 * cubic B-spline, or linear interpolation. Beyond the border the outermost node goes on.
 */
export function taps(size, side, nodes, cubic) {
  const reach = cubic ? 4 : 2;
  const [index, weight] = [new Int32Array(size * reach), new Float32Array(size * reach)];
  for (let i = 0; i < size; i++) {
    const place = (((i + 0.5) * side) / size) * nodes - 0.5;
    for (let k = 0; k < reach; k++) {
      const node = Math.floor(place) + k + 1 - reach / 2;
      const distance = Math.abs(place - node);
      const far = Math.max(2 - distance, 0) ** 3 / 6;
      const near = 2 / 3 - distance ** 2 + distance ** 3 / 2;
      index[i * reach + k] = Math.min(Math.max(node, 0), side * nodes - 1);
      weight[i * reach + k] = cubic ? (distance < 1 ? near : far) : 1 - distance;
    }
  }
  return { index, weight, reach };
}

/**
 * A square picture on white, Uint8ClampedArray `(size, size, 4)`: red, green, blue, 255.
 *
 * fields, padding: of `fieldsOf` and its side; side: pixels of the picture that the fields are of; told: the export's
 * settings of the renderer; progress: function of the rows that are drawn.
 */
export function drawFields(fields, padding, side, size, told, progress = () => {}) {
  const pixels = new Uint8ClampedArray(size * size * 4).fill(255);
  const { slots, nodes } = told;
  const readers = Object.entries(nodes).map(([name, n]) => {
    // Of four numbers of a slot's color the last, opacity, is not seen on white.
    const channels = name === "logits" ? slots : 4 * slots;
    const used = [...Array(channels).keys()].filter((c) => name === "logits" || c % 4 < 3);
    return { name, width: padding * n, channels, used, ...taps(size, side, n, name === "logits") };
  });
  for (let first = 0; first < size; first += BAND) {
    const last = Math.min(first + BAND, size);
    const read = Object.fromEntries(readers.map((one) => [one.name, across(fields[one.name], one, first, last, size)]));
    for (let y = first; y < last; y++) {
      const line = Object.fromEntries(readers.map((one) => [one.name, down(read[one.name], one, y, size)]));
      mixSlots(line.logits, line.colors, slots, size / side, pixels.subarray(y * size * 4, (y + 1) * size * 4));
    }
    progress(last);
  }
  return pixels;
}

/** Those rows of a field that some rows of the drawing need, read at all columns: `(rows, used channels, size)`. */
function across(field, reader, first, last, size) {
  const { index, weight, reach, width, channels, used } = reader;
  const [low, high] = [index[first * reach], index[last * reach - 1] + 1];
  const found = new Float32Array((high - low) * used.length * size);
  for (let y = low; y < high; y++) {
    used.forEach((channel, c) => {
      const to = ((y - low) * used.length + c) * size;
      for (let x = 0; x < size; x++) {
        let sum = 0;
        for (let k = x * reach; k < (x + 1) * reach; k++) {
          sum += weight[k] * field[(y * width + index[k]) * channels + channel];
        }
        found[to + x] = sum;
      }
    });
  }
  return { found, low };
}

/** One row of the drawing: `(used channels, size)`. */
function down({ found, low }, reader, y, size) {
  const { index, weight, reach, used } = reader;
  const row = used.length * size;
  const line = new Float32Array(row);
  for (let k = y * reach; k < (y + 1) * reach; k++) {
    const [share, from] = [weight[k], (index[k] - low) * row];
    for (let i = 0; i < row; i++) line[i] += share * found[from + i];
  }
  return line;
}

/** Pixels of one row: a mix of the slots' colors by the softmax of their logits, the steeper the larger it is. */
function mixSlots(logits, colors, slots, scale, pixels) {
  const size = logits.length / slots;
  for (let x = 0; x < size; x++) {
    let [largest, sum, red, green, blue] = [-Infinity, 0, 0, 0, 0];
    for (let k = 0; k < slots; k++) largest = Math.max(largest, logits[k * size + x]);
    for (let k = 0; k < slots; k++) {
      const share = Math.exp((logits[k * size + x] - largest) * scale);
      sum += share;
      red += share * colors[3 * k * size + x];
      green += share * colors[(3 * k + 1) * size + x];
      blue += share * colors[(3 * k + 2) * size + x];
    }
    [red, green, blue].forEach((color, c) => {
      const shown = (Math.min(Math.max(color / sum, -1), 1) + 1) / 2;
      pixels[4 * x + c] = Math.floor(shown * 255 + 0.5);
    });
  }
}
