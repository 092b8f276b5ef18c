// The steps of diffusion, as numbers that the export worked out: `keras_t2i_runtime/diffusion.py` for one picture.

/**
 * A picture out of noise.
 *
 * network: async function of the U-Net's inputs, an object of typed arrays with as many rows as `log_snr` has
 *   numbers, to what it says, Float32Array.
 * text: object of what the text encoder says of one caption, typed arrays.
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
    inputs = { ...inputs, image_code: inputs.text_code, image_condition_mask: given };
  }
  if (draft) inputs = { ...inputs, ...(await draft(inputs)) };
  const parts = [noise];
  for (const [done, step] of schedule.steps.entries()) {
    const x = mixed(step.x, parts);
    const images = twice(x.map((number) => number * step.c_in));
    const log_snr = given.map(() => step.log_snr);
    const said = await network({ ...inputs, images, log_snr });
    const estimate = (row) =>
      mixed([step.of_x, step.of_output], [x, said.subarray(row * x.length, (row + 1) * x.length)]);
    const x0 = guided ? mixed([scale, 1 - scale], [estimate(0), estimate(1)]) : estimate(0);
    parts.push(x0.map((number) => Math.min(Math.max(number, -1), 1)));
    told(done + 1);
  }
  return mixed(schedule.drawn, parts).map((number) => number / settings.threshold);
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
