// SPDX-License-Identifier: Apache-2.0
// Restores files as the page does, without a browser: node restore.mjs MODEL OUT [--no-gate] FILE ...
// Prints a line of JSON for each: verdict, what was undone, and seconds of one processor.

import * as ort from "onnxruntime-web/wasm";
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { readNifti, writeNifti } from "../src/nifti.js";
import { restore } from "../src/restore.js";
import { graphRunner } from "../src/model.js";

ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmBinary = await readFile(new URL("../node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm", import.meta.url));
const [model, out, ...rest] = process.argv.slice(2), gate = !rest.includes("--no-gate");
const manifest = JSON.parse(await readFile(join(model, "manifest.json"), "utf8"));
const run = graphRunner(ort, manifest, (name) => readFile(join(model, name)));
for (const file of rest.filter((one) => one !== "--no-gate")) {
  const before = process.cpuUsage();
  try {
    const bytes = await readFile(file), volume = await readNifti(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    const { data, verdict, plane } = await restore(volume, manifest, run, { gate });
    const name = `${basename(file).replace(/\.nii(\.gz)?$/, "")}_restored.nii.gz`;
    await writeFile(join(out, name), await writeNifti(volume, data));
    const { user, system } = process.cpuUsage(before);
    console.log(JSON.stringify({ name, verdict: verdict?.name, repaired: verdict?.repaired, plane, seconds: (user + system) / 1e6 }));
  } catch (error) {
    console.log(JSON.stringify({ name: basename(file), error: error.message }));
  }
}
