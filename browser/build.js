// Puts the page, onnxruntime-web and an exported folder together: npm run build -- EXPORTED SITE

import { cp, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const HERE = path.dirname(fileURLToPath(import.meta.url));
// Not all file servers know that .mjs is JavaScript.
const RUNTIME = {
  "ort.wasm.min.mjs": "ort.js",
  "ort-wasm-simd-threaded.mjs": "wasm.js",
  "ort-wasm-simd-threaded.wasm": "ort.wasm",
};
const PAGE = ["index.html", "page.css", "src"];
const OURS = [...PAGE, "ort", "model", "files.json"];

async function build(exported, site) {
  const settings = await readFile(path.join(exported, "settings.json"), "utf8").catch(() => {
    throw new Error(`${exported} was not written by keras-t2i export: no settings.json`);
  });
  const { format, files: kind = "onnx", draft, prior, renderer } = JSON.parse(settings);
  if (!format) throw new Error(`the export to ${exported} was not finished: run it again`);
  if (kind !== "onnx") throw new Error(`${exported} holds ${kind}, a page draws ONNX: export with --format onnx`);
  await mkdir(site, { recursive: true });
  const others = (await readdir(site)).filter((name) => !OURS.includes(name));
  if (others.length) throw new Error(`${site} holds other files (${others[0]}): choose an empty folder`);
  const modules = path.join(HERE, "node_modules", "onnxruntime-web", "dist");
  for (const [theirs, name] of Object.entries(RUNTIME)) {
    await cp(path.join(modules, theirs), path.join(site, "ort", name)).catch(() => {
      throw new Error(`onnxruntime-web is not installed: run npm install in ${HERE}`);
    });
  }
  for (const name of PAGE) await cp(path.join(HERE, name), path.join(site, name), { recursive: true });
  const more = Object.entries({ draft, prior, renderer }).filter(([, told]) => told);
  const networks = ["text_encoder", "base", ...more.map(([name]) => name)];
  const files = [...networks.map((name) => `${name}.onnx`), "tokenizer/vocabulary.json", "tokenizer/merges.txt"];
  const bytes = {};
  for (const name of ["settings.json", ...files]) {
    await cp(path.join(exported, name), path.join(site, "model", name));
    bytes[name] = (await stat(path.join(exported, name))).size;
  }
  await writeFile(path.join(site, "files.json"), JSON.stringify(bytes));
  const total = Object.values(bytes).reduce((sum, size) => sum + size, 0);
  console.log(`${site}: ${(total / 1e6).toFixed(1)} MB of networks. Any file server serves it.`);
}

const [exported, site] = process.argv.slice(2).map((given) => path.resolve(process.env.INIT_CWD ?? ".", given));
if (!site) {
  console.error("usage: npm run build -- EXPORTED SITE");
  process.exit(2);
}
await build(exported, site).catch((error) => {
  console.error(`error: ${error.message}`);
  process.exit(2);
});
