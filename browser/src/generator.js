// What an exported folder draws: `keras_t2i_runtime/runtime.py`, for one picture on white.

import { Tokenizer } from "./captions.js";
import { diffuse, imageCode } from "./diffusion.js";
import { drawFields, fieldsOf, padded } from "./fields.js";
import { Philox } from "./random_streams.js";

const FORMAT = 1; // of the folder: another is not read
const ARRAYS = { float32: Float32Array, int32: Int32Array, bool: Uint8Array };

/** An ONNX file. Takes of an object of typed arrays those that it knows, to an object of typed arrays. */
class Network {
  /** seldom: as of `keras_t2i_runtime.networks.Onnx`. */
  static async open(ort, bytes, seldom) {
    const network = new Network();
    const options = seldom ? { graphOptimizationLevel: "disabled", enableCpuMemArena: false } : {};
    network.ort = ort;
    network.session = await ort.InferenceSession.create(new Uint8Array(bytes), {
      executionProviders: ["wasm"],
      ...options,
    });
    return network;
  }

  get names() {
    return this.session.inputMetadata.map(({ name }) => name);
  }

  /** sizes: object of the shapes of inputs whose shape the file leaves open; else rows are as many as fit. */
  async run(inputs, sizes = {}) {
    const feeds = {};
    for (const { name, type, shape } of this.session.inputMetadata) {
      const values = type === "bool" ? Array.from(inputs[name], Boolean) : inputs[name];
      const row = shape.slice(1).reduce((product, side) => product * side, 1);
      const sides = sizes[name] ?? [values.length / row, ...shape.slice(1)];
      feeds[name] = new this.ort.Tensor(type, ARRAYS[type].from(values), sides);
    }
    const said = await this.session.run(feeds);
    return Object.fromEntries(Object.entries(said).map(([name, tensor]) => [name, tensor.data]));
  }

  /** The one output of a network that has one. */
  async only(inputs) {
    return Object.values(await this.run(inputs))[0];
  }
}

/** A generator that `keras-t2i export` wrote. */
export class Generator {
  /**
   * ort: the module onnxruntime-web.
   * read: async function of a file's path in the folder to a `Response`, or what has its json, text and arrayBuffer.
   */
  static async open(ort, read) {
    const generator = new Generator();
    const settings = await (await read("settings.json")).json();
    if (settings.format === 0) throw new Error("The export was not finished: run keras-t2i export again.");
    if (settings.format !== FORMAT || !settings.purpose_hash) {
      throw new Error("The exported folder is of another version of keras-t2i: export it anew.");
    }
    const files = ["text_encoder", "base", ...["draft", "prior", "renderer"].filter((name) => settings[name])];
    const [vocabulary, merges, nearest, ...networks] = await Promise.all([
      read("tokenizer/vocabulary.json").then((file) => file.json()),
      read("tokenizer/merges.txt").then((file) => file.text()),
      settings.nearest_words ? read("tokenizer/nearest_words.json").then((file) => file.json()) : {},
      ...files.map((name) => read(`${name}.onnx`).then((file) => file.arrayBuffer())),
    ]);
    generator.settings = settings;
    generator.tokenizer = new Tokenizer(vocabulary, merges, settings.sequence_length, nearest);
    for (const [i, name] of files.entries()) {
      generator[name] = await Network.open(ort, networks[i], name === "draft");
      networks[i] = null; // its bytes are no longer needed
    }
    return generator;
  }

  /** What a page offers. */
  get choices() {
    const { defaults, schedules, image_size, renderer } = this.settings;
    return { defaults, steps: Object.keys(schedules ?? {}).map(Number), smallest: image_size, any: Boolean(renderer) };
  }

  /**
   * A picture: `{ pixels, size, cut, readAs }`, Uint8ClampedArray `(size, size, 4)`, red, green, blue, 255; whether
   * only the first of the words were read; and pairs of a word and the one that was read in its place.
   *
   * words: string; seed: BigInt below 2^64; size: pixels, or null: small; the others as of `defaults`.
   * told: function of the share that is done.
   */
  async draw({ words, seed, size = null, ...given }, told = () => {}) {
    const { settings } = this;
    const chosen = { ...settings.defaults, ...given };
    const side = settings.image_size;
    if (size !== null && !this.renderer) throw new Error("No renderer was exported: pictures have one size.");
    if (size !== null && size < side) throw new Error(`The size must be ${side} or more.`);
    const { ids, ...read } = this.tokenizer.encode(words);
    const text = await this.text_encoder.run({ token_ids: ids });
    if (this.prior) text.image_code = await this.imageCode(text.text_code, seed);
    const numbers = settings.noise_shape.reduce((product, sides) => product * sides, 1);
    const noise = new Philox(seed, BigInt(settings.purpose_hash)).normal(numbers);
    const large = size === null ? 0 : (size / 1024) ** 2; // what drawing at size takes, about, in steps
    const small = toUint8(await this.small(text, noise, chosen, large, told));
    if (size === null) return { pixels: withOpacity(small), size: side, ...read };
    const fit = padded(Float32Array.from(small, (value) => value / 127.5 - 1), side);
    const network = (inputs, seen) => this.renderer.run(inputs, { images: [1, seen, seen, 3] });
    const fields = await fieldsOf(network, settings.renderer, fit.image, fit.side);
    const progress = (rows) => told(1 - 0.3 * (1 - rows / size));
    return { pixels: drawFields(fields, fit.side, side, size, settings.renderer, progress), size, ...read };
  }

  /** What the prior draws, Float32Array. */
  imageCode(code, seed) {
    const told = this.settings.prior;
    const stream = (number) => new Philox(seed, BigInt(told.purpose_hash), BigInt(number));
    const noises = Array.from({ length: told.best_of }, (_, number) => stream(number).normal(code.length));
    return imageCode((inputs) => this.prior.only(inputs), code, noises, told);
  }

  /** The picture of the base, Float32Array in [-1, 1]. */
  async small(text, noise, chosen, large, told) {
    if (!("num_steps" in chosen)) {
      return this.base.only({ ...text, noise: noise.map((number) => number * chosen.temperature) });
    }
    const schedule = this.settings.schedules[chosen.num_steps];
    if (!schedule) {
      const most = Math.max(...this.choices.steps);
      throw new Error(`${chosen.num_steps} steps were not exported: there are 1 to ${most}.`);
    }
    const share = large ? 0.7 : 1; // of the work
    const done = (steps) => told((share * steps) / chosen.num_steps);
    const draft = this.draft && ((inputs) => this.draft.run(inputs));
    const network = (inputs) => this.base.only(inputs);
    return diffuse(network, text, noise, schedule, chosen.guidance_scale, this.settings, draft, done);
  }
}

/** [-1, 1] to 0 to 255, clipped, and rounded: halves to even numbers, as Uint8ClampedArray does it. */
function toUint8(image) {
  return Uint8ClampedArray.from(image, (value) => Math.fround(Math.fround(value + 1) * 127.5));
}

function withOpacity(pixels) {
  return Uint8ClampedArray.from({ length: (pixels.length / 3) * 4 }, (_, i) =>
    i % 4 === 3 ? 255 : pixels[Math.floor(i / 4) * 3 + (i % 4)],
  );
}
