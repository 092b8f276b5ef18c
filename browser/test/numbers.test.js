// What the page computes is what Python computed: tests/browser/test_numbers.py writes its numbers into a folder.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";

import { Tokenizer } from "../src/captions.js";
import { diffuse, imageCode } from "../src/diffusion.js";
import { blocks, drawFields, fieldsOf, padded } from "../src/fields.js";
import { Philox } from "../src/random_streams.js";
import { smoothed } from "../src/smoothing.js";

const FOLDER = process.env.KERAS_T2I_NUMBERS;
if (!FOLDER) throw new Error("run by pytest tests/browser/test_numbers.py, which sets KERAS_T2I_NUMBERS");
const text = (name) => readFileSync(path.join(FOLDER, name), "utf8");
const wanted = JSON.parse(text("numbers.json"));

function assertNear(found, numbers, most) {
  assert.equal(found.length, numbers.length);
  const worst = found.reduce((largest, number, i) => Math.max(largest, Math.abs(number - numbers[i])), 0);
  assert.ok(worst <= most, `${worst} apart, and ${most} is allowed`);
}

test("normal numbers of any seed and purpose", () => {
  assert.ok(wanted.normal.length > 2);
  for (const { seed, purpose, index, numbers } of wanted.normal) {
    const found = new Philox(BigInt(seed), BigInt(purpose), BigInt(index)).normal(numbers.length);
    assertNear(found, numbers, 1e-6);
    const equal = found.filter((number, i) => number === numbers[i]).length;
    assert.ok(equal >= numbers.length * 0.9998, `${equal} of ${numbers.length} to the bit`); // but for logarithms
  }
});

test("captions become the same ids", () => {
  const vocabulary = JSON.parse(text("vocabulary.json"));
  const nearest = JSON.parse(text("nearest_words.json"));
  const tokenizer = new Tokenizer(vocabulary, text("merges.txt"), wanted.captions[0].ids.length, nearest);
  for (const { caption, ids } of wanted.captions) assert.deepEqual([...tokenizer.encode(caption).ids], ids, caption);
  assert.deepEqual(tokenizer.encode("Reded, a reded").readAs, [["reded", "car"]]);
  assert.deepEqual([tokenizer.encode("a red").cut, tokenizer.encode("a ".repeat(99)).cut], [false, true]);
  assert.throws(() => tokenizer.encode(" \n\x1c"), /no words/);
});

test("a sampler's steps, with guidance and a draft", async () => {
  const { noise, schedule, settings, drawn } = wanted.diffusion;
  const level = (log_snr) => Math.cos(Math.min(Math.max(log_snr, -20), 20));
  const network = async ({ images, log_snr, condition_mask, draft }) =>
    images.map((number, i) => {
      const row = Math.floor((i * log_snr.length) / images.length);
      return Math.tanh(number) * level(log_snr[row]) + 0.3 * condition_mask[row] * draft[row];
    });
  const draft = async ({ code }) => ({ draft: code.map((number) => 2 * number) });
  for (const [scale, numbers] of Object.entries(drawn)) {
    const told = [];
    const given = [{ code: Float32Array.of(0.4) }, Float32Array.from(noise), schedule, Number(scale), settings];
    const found = await diffuse(network, ...given, draft, (steps) => told.push(steps));
    assertNear(found, numbers, 1e-5);
    assert.deepEqual(told, [...schedule.steps.keys()].map((i) => i + 1));
  }
});

test("fills are made flat", () => {
  const { image, smoothed: numbers } = wanted.smoothing;
  for (const [color, expected] of Object.entries(numbers)) {
    assertNear(smoothed(Float32Array.from(image), Number(color)), expected, 1e-5);
  }
});

test("a prior's steps, and the nearest of what it draws", async () => {
  const network = async ({ codes, log_snr, text_code, condition_mask }) =>
    codes.map((number, i) => {
      const row = Math.floor((i * log_snr.length) / codes.length);
      const level = Math.cos(Math.min(Math.max(log_snr[row], -20), 20));
      return Math.tanh(number) * level + 3 * condition_mask[row] * text_code[i];
    });
  for (const { code, noises, settings, drawn } of wanted.priors) {
    const given = [Float32Array.from(code), noises.map((noise) => Float32Array.from(noise)), settings];
    assertNear(await imageCode(network, ...given), drawn, 1e-5);
  }
});

test("blocks of a side", () => {
  for (const { side, seen, own } of wanted.blocks) {
    assert.deepEqual(blocks(side), seen.map((window, i) => ({ seen: window, own: own[i] })));
  }
});

test("fields are put together of blocks, and drawn", async () => {
  for (const { side, told, image, logits, colors, size, pixels } of wanted.drawings) {
    const network = async ({ images, noise_level }, seen) => {
      const field = (nodes, channels) =>
        Float32Array.from({ length: (seen * nodes) ** 2 * channels }, (_, i) => {
          const [place, channel] = [Math.floor(i / channels), i % channels];
          const y = Math.floor(Math.floor(place / (seen * nodes)) / nodes);
          const x = Math.floor((place % (seen * nodes)) / nodes);
          return images[(y * seen + x) * 3 + ((channel + Math.floor(place / 3)) % 3)] + noise_level[0] * channel;
        });
      return { logits: field(told.nodes.logits, told.slots), colors: field(told.nodes.colors, 4 * told.slots) };
    };
    const fit = padded(Float32Array.from(image), side);
    const fields = await fieldsOf(network, told, fit.image, fit.side);
    const shares = [];
    if (logits) for (const [name, numbers] of Object.entries({ logits, colors })) assertNear(fields[name], numbers, 1e-6);
    const found = drawFields(fields, fit.side, side, size, told, (rows) => shares.push(rows / size));
    assertNear(found.filter((_, i) => i % 4 < 3), pixels, 1);
    assert.ok(found.every((number, i) => i % 4 < 3 || number === 255));
    assert.equal(shares.at(-1), 1);
  }
});
