// The page: what a person chooses goes to the worker, what is drawn onto the canvas.

const LARGEST = 1024;
const find = (id) => document.getElementById(id);
const [form, button, save, bar, told, canvas] = ["form", "draw", "save", "progress", "told", "picture"].map(find);
// A worker out of a blob keeps to the page's policy: it asks no other server for anything either.
const source = `import ${JSON.stringify(new URL("./worker.js", import.meta.url))};`;
const blob = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
const worker = new Worker(blob, { type: "module" });
let loading = true;
let asked = null; // what is being drawn
let started = 0;

worker.onmessage = ({ data }) => {
  if (data.error) return finish(data.error);
  if (data.choices) return offer(data.choices);
  if (data.drawn) return show(data.drawn);
  if (!loading && !asked) return; // other files, after one that is missing
  const share = data.total ? Math.min(data.loaded / data.total, 1) : data.share;
  bar.value = share;
  told.textContent = data.total ? `Loading ${(data.total / 1e6).toFixed(0)} MB: ${percent(share)}` : percent(share);
};
worker.onerror = () => finish("The page cannot run here: it needs a browser with WebAssembly and modules in workers.");

const percent = (share) => `${Math.round(100 * share)} %`;

/** Show what this generator can be asked for. */
function offer({ defaults, steps, smallest, any }) {
  const { num_steps, guidance_scale, temperature } = defaults;
  for (const [id, value] of Object.entries({ num_steps, guidance_scale, temperature })) {
    find(id).value = value ?? "";
    find(id).disabled = find(id).parentElement.hidden = value === undefined;
  }
  if (steps.length) find("num_steps").max = Math.max(...steps);
  find("size").min = smallest;
  find("size").max = LARGEST;
  find("size").disabled = find("size").parentElement.hidden = !any;
  finish("Ready.");
}

/** End what was going on, with a sentence. */
function finish(sentence) {
  loading = false;
  asked = null;
  bar.value = 0;
  button.disabled = false;
  told.textContent = sentence;
}

form.onsubmit = (event) => {
  event.preventDefault();
  if (asked) return;
  const number = (id) => (find(id).disabled ? {} : { [id]: Number(find(id).value) });
  // The field's pattern lets 19 digits through: numbers below 2^64.
  asked = { words: find("words").value, seed: BigInt(find("seed").value), size: null };
  for (const id of ["num_steps", "guidance_scale", "temperature", "size"]) asked = { ...asked, ...number(id) };
  button.disabled = true;
  save.disabled = true;
  started = performance.now();
  told.textContent = percent(0);
  worker.postMessage(asked);
};

function show({ pixels, size, cut, readAs }) {
  canvas.width = canvas.height = size;
  canvas.getContext("2d").putImageData(new ImageData(pixels, size, size), 0, 0);
  canvas.setAttribute("aria-label", asked.words);
  save.disabled = false;
  save.dataset.name = `${asked.words.trim().replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 80)}-${asked.seed}.png`;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const read = readAs.map(([word, other]) => ` “${word}” was read as “${other}”, which captions teach.`).join("");
  finish(`Seed ${asked.seed}, ${size} pixels, ${seconds} seconds.${read}${cut ? " Only the first words were read." : ""}`);
}

save.onclick = () => {
  canvas.toBlob((png) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(png);
    link.download = save.dataset.name;
    link.click();
    URL.revokeObjectURL(link.href);
  }, "image/png");
};
