// The steps of diffusion, as numbers that the export worked out: `keras_t2i_runtime/diffusion.py` for one picture.

import { smoothed } from "./smoothing.js";

/**
 * A picture out of noise.
 *
 * network: async function of the U-Net's inputs, an object of typed arrays with as many rows as `log_snr` has
 *   numbers, to what it says, Float32Array.
 * text: object of what the text encoder says of one caption, typed arrays; and `image_code`, if a prior drew it.
 * noise: Float32Array; schedule: as of `schedules.schedule`; settings: the export's.
 * scale: number: x_0 is scale conditional + (1 - scale) unconditional.
 * draft: async function of these inputs to more of them, or null; told: function of how many steps are done.
 */
export async function diffuse(network, text, noise, schedule, scale, settings, draft, told) {
  const guided = scale !== 1;
  const twice = (rows) => (guided ? concatenated(rows, rows) : rows);
  const given = Float32Array.from(guided ? [1, 0] : [1]); // with the caption, and with none, in one batch
  let inputs = Object.fromEntries(Object.entries(text).map(([name, rows]) => [name, twice(rows)]));
  inputs.condition_mask = given.map((one) => one * settings.with_text);
  if (settings.image_code) {
    inputs = { image_code: inputs.text_code, ...inputs, image_condition_mask: given };
  }
  if (draft) inputs = { ...inputs, ...(await draft(inputs)) };
  const drawn = await denoised(network, inputs, "images", noise, schedule, scale, 1, told);
  return smoothed(drawn.map((number) => number / settings.threshold), settings.smoothing);
}

/**
 * What a prior draws of one text embedding: an image embedding, Float32Array of length 1.
 *
 * network: as above, of the prior; code: Float32Array; noises: Float32Array, each of an embedding, of which the one
 *   nearest to the text is kept; settings: what the export says of the prior.
 */
export async function imageCode(network, code, noises, settings) {
  const { guidance_scale, schedule, mean, spread } = settings;
  const given = guidance_scale === 1 ? [1] : [1, 0];
  const inputs = {
    text_code: given.length > 1 ? concatenated(code, code) : code,
    condition_mask: Float32Array.from(given),
  };
  const drawn = [];
  for (const noise of noises) {
    const x = await denoised(network, inputs, "codes", noise, schedule, guidance_scale, Infinity);
    const found = x.map((number, i) => number * spread[i] + mean[i]);
    const length = Math.max(Math.sqrt(dot(found, found)), 1e-12);
    drawn.push(found.map((number) => number / length));
  }
  const likeness = drawn.map((one) => dot(one, code));
  return drawn[likeness.indexOf(Math.max(...likeness))];
}

/**
 * A sampler's steps. Where the scale is not 1, inputs are those of the caption and then of none.
 *
 * name: of the input that is noisy; limit: estimates are clipped to [-limit, limit].
 */
async function denoised(network, inputs, name, noise, schedule, scale, limit, told = () => {}) {
  const guided = scale !== 1;
  const parts = [noise];
  for (const [done, step] of schedule.steps.entries()) {
    const x = mixed(step.x, parts);
    const noisy = x.map((number) => number * step.c_in);
    const log_snr = inputs.condition_mask.map(() => step.log_snr);
    const said = await network({ ...inputs, [name]: guided ? concatenated(noisy, noisy) : noisy, log_snr });
    const estimate = (row) =>
      mixed([step.of_x, step.of_output], [x, said.subarray(row * x.length, (row + 1) * x.length)]);
    const x0 = guided ? mixed([scale, 1 - scale], [estimate(0), estimate(1)]) : estimate(0);
    parts.push(x0.map((number) => Math.min(Math.max(number, -limit), limit)));
    told(done + 1);
  }
  return mixed(schedule.drawn, parts);
}

function dot(first, second) {
  return first.reduce((sum, number, i) => sum + number * second[i], 0);
}

/** The sum of some arrays, each times its share. */
function mixed(shares, parts) {
  const sum = new Float32Array(parts[0].length);
  shares.forEach((share, i) => {
    if (share) parts[i].forEach((number, j) => (sum[j] += share * number));
  });
  return sum;
}

function concatenated(first, second) {
  const both = new first.constructor(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
