// Opens the generator and draws, beside the page, which stays responsive. Takes and gives messages: `page.js`.

import * as ort from "../ort/ort.js";
import { Generator } from "./generator.js";

const beside = (path) => new URL(path, import.meta.url).href;
ort.env.wasm.wasmPaths = { mjs: beside("../ort/wasm.js"), wasm: beside("../ort/ort.wasm") };
// Threads share memory, which browsers allow where the server says that the page is isolated: docs/browser.md.
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, 4) : 1;

const opened = open();
opened.then((generator) => postMessage({ choices: generator.choices })).catch(tell);

async function open() {
  const bytes = await (await read("../files.json")).json();
  const total = Object.values(bytes).reduce((sum, size) => sum + size, 0);
  let loaded = 0;
  return Generator.open(ort, async (name) => {
    const response = await read(`../model/${name}`);
    const counted = new TransformStream({
      transform(chunk, controller) {
        loaded += chunk.byteLength;
        postMessage({ loaded, total });
        controller.enqueue(chunk);
      },
    });
    return new Response(response.body.pipeThrough(counted));
  });
}

async function read(path) {
  const response = await fetch(beside(path));
  if (!response.ok) throw new Error(`The file ${path.replace("../", "")} is missing on the server.`);
  return response;
}

function tell(error) {
  postMessage({ error: error.message || String(error) });
}

onmessage = async ({ data }) => {
  try {
    const generator = await opened;
    const drawn = await generator.draw(data, (share) => postMessage({ share }));
    postMessage({ drawn }, [drawn.pixels.buffer]);
  } catch (error) {
    tell(error);
  }
};
