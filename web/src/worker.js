// SPDX-License-Identifier: Apache-2.0
// Reads and restores volumes beside the page, on one thread, with ONNX Runtime in WebAssembly.

import * as ort from "onnxruntime-web/wasm";
import { graphRunner } from "./model.js";
import { readNifti, writeNifti } from "./nifti.js";
import { restore } from "./restore.js";

ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = { wasm: new URL("ort.wasm", self.location.href).href };
let model;

async function fetched(name, sha256) {
  const response = await fetch(new URL(`model/${name}`, self.location.href));
  if (!response.ok) throw new Error(`the page has no model (model/${name}): build it with make web.`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (sha256 && self.crypto?.subtle) {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const found = Array.from(hash, (one) => one.toString(16).padStart(2, "0")).join("");
    if (found !== sha256) throw new Error(`model/${name} is not the file of the manifest: build the page again.`);
  }
  return bytes;
}

async function load() {
  const manifest = JSON.parse(new TextDecoder().decode(await fetched("manifest.json")));
  return { manifest, run: graphRunner(ort, manifest, fetched) };
}

self.onmessage = async ({ data: { buffer, gate } }) => {
  try {
    const begin = performance.now();
    const volume = await readNifti(buffer);
    model ??= await load();
    const progress = (share) => self.postMessage({ share });
    const done = await restore(volume, model.manifest, model.run, { gate, progress });
    const file = await writeNifti(volume, done.data);
    const seconds = (performance.now() - begin) / 1000;
    self.postMessage({ file, seconds, verdict: done.verdict, warnings: done.warnings }, [file.buffer]);
  } catch (error) {
    model = undefined;
    self.postMessage({ error: error.message });
  }
};
