// SPDX-License-Identifier: Apache-2.0
// Uses the page as a user would, in headless Chromium: node page.mjs CHROMIUM ADDRESS HEAD FOLDER [pictures]
// Prints what it saw as JSON; the restored image and, if wanted, pictures of the page are written into FOLDER.

import { chromium } from "playwright-core";
import { join } from "node:path";

const [executablePath, address, head, folder, pictures] = process.argv.slice(2);
const args = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"];
const browser = await chromium.launch({ executablePath, args });
const page = await (await browser.newContext({ viewport: { width: 640, height: 400 }, acceptDownloads: true })).newPage();
const seen = { requests: [], problems: [] };
page.context().on("request", (request) => seen.requests.push(request.url().slice(0, 200)));
page.on("pageerror", (error) => seen.problems.push(String(error)));
page.on("console", (message) => message.type() === "error" && seen.problems.push(message.text()));
const text = (id) => page.locator(`#${id}`).textContent();
page.setDefaultTimeout(240000);
/** A picture of the whole page at a size; without a graphics card it takes seconds. */
const picture = async (name, width, height) => {
  if (!pictures) return;
  await page.setViewportSize({ width, height });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  await page.setViewportSize({ width: 640, height: 400 });
};
/** Keeps what the canvas shows under a number, in the page. */
const pixels = () => page.evaluate(() => {
  const { niivue } = window.page;
  niivue.drawScene();
  const copy = new OffscreenCanvas(160, 100), context = copy.getContext("2d");
  context.drawImage(niivue.canvas, 0, 0, 160, 100);
  window.kept ??= [];
  return window.kept.push(context.getImageData(0, 0, 160, 100).data) - 1;
});
const differs = (one, other) => page.evaluate(
  ([a, b]) => window.kept[a].some((value, i) => Math.abs(value - window.kept[b][i]) > 8), [one, other]);
/** Seconds of a processor that the page has taken so far, all its threads together. */
const session = await browser.newBrowserCDPSession();
const processorSeconds = async () => {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  return processInfo.filter(({ type }) => type === "renderer").reduce((total, { cpuTime }) => total + cpuTime, 0);
};
const begin = Date.now();
const log = (what) => process.stderr.write(`${((Date.now() - begin) / 1000).toFixed(1)} s: ${what}\n`);

try {
  await page.goto(address);
  await page.waitForFunction(() => window.page);
  await page.waitForFunction(() => !document.getElementById("status").textContent.startsWith("No image")).catch(() => {});
  log("open");
  if (await page.locator("#run").isVisible()) {
    seen.bases = await page.locator("#base option").allTextContents();
    seen.maps = await page.locator("#map option").allTextContents();
    seen.map = await page.locator("#map").inputValue();
    let withMap = await pixels();
    await picture("run", 1280, 800);
    await page.locator("#shown").uncheck();
    const without = await pixels();
    seen.overlay_toggles = await differs(withMap, without);
    await page.locator("#shown").check();
    seen.overlay_comes_back = !(await differs(withMap, await pixels()));
    await page.locator("#opacity").fill("0.2");
    seen.opacity_moves = await differs(withMap, await pixels());
    await page.locator("#opacity").fill("0.6");
    await page.locator("#threshold").fill(await page.locator("#threshold").getAttribute("max"));
    seen.threshold_moves = await differs(withMap, await pixels());
  }
  log("run shown");
  await page.locator("#file").setInputFiles(head);
  await page.waitForFunction(() => document.getElementById("status").textContent.includes("is open"));
  const before = await pixels(), place = await text("place");
  const box = await page.locator("#canvas").boundingBox();
  await page.locator("#canvas").click({ position: { x: box.width * 0.2, y: box.height * 0.3 } });
  await page.waitForFunction((former) => document.getElementById("place").textContent !== former, place);
  seen.slices_move = await differs(before, await pixels());
  log("moved");
  await page.locator("#gate").uncheck();
  const worked = await processorSeconds();
  await page.locator("#restore").click();
  await page.waitForFunction(() => /Done in|cannot/.test(document.getElementById("status").textContent));
  seen.processor_seconds = (await processorSeconds()) - worked;
  seen.status = await text("status");
  seen.seconds = Number(/Done in ([\d.]+) s/.exec(seen.status)?.[1] ?? Infinity);
  log(seen.status);
  const after = await pixels();
  await picture("wide", 1280, 800);
  await page.locator("#after").fill("0");
  seen.compares = await differs(after, await pixels());
  const [download] = await Promise.all([page.waitForEvent("download"), page.locator("#save").click()]);
  seen.saved = download.suggestedFilename();
  await download.saveAs(join(folder, seen.saved));
  await page.locator("#after").fill("1");
  await page.setViewportSize({ width: 375, height: 740 });
  await page.waitForTimeout(300);
  seen.scrolls_sideways = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  await picture("narrow", 375, 740);
  const well = seen.problems.length;
  await page.locator("#file").setInputFiles({ name: "broken.nii.gz", mimeType: "", buffer: Buffer.from("no image") });
  await page.waitForFunction(() => document.getElementById("status").classList.contains("error"));
  seen.broken = await text("status");
  seen.problems = seen.problems.slice(0, well); // niivue logs why an image cannot be read
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
