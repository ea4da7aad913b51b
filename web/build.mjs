// SPDX-License-Identifier: Apache-2.0
// Builds the page into the folder that is given, with its licences; it needs nothing but its own files afterwards.

import { build } from "esbuild";
import { copyFile, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const out = process.argv[2] ?? "../dist/web";
await mkdir(out, { recursive: true });
const { metafile } = await build({
  entryPoints: ["src/page.js", "src/worker.js"],
  bundle: true, format: "esm", target: "es2022", minify: true, outdir: out, metafile: true, legalComments: "none",
  logLevel: "warning",
});
for (const file of ["index.html", "page.css"]) await copyFile(join("src", file), join(out, file));
await copyFile("node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm", join(out, "ort.wasm"));

const packages = new Set(Object.keys(metafile.inputs).map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]).filter(Boolean));
const texts = [];
for (const name of [...packages].sort()) {
  const folder = join("node_modules", name), { version, license } = JSON.parse(await readFile(join(folder, "package.json")));
  const file = (await readdir(folder)).find((one) => /^(licen[sc]e|copying)/i.test(one));
  texts.push(`${name} ${version}: ${license}\n\n${file ? await readFile(join(folder, file), "utf8") : "(its package has no text of it)"}`);
}
await writeFile(join(out, "licences.txt"), `This page: Apache-2.0. It is built from:\n\n${texts.join(`\n${"-".repeat(80)}\n`)}`);
