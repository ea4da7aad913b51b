// SPDX-License-Identifier: Apache-2.0
// The page: an image is dropped, restored by the worker, compared and saved; or the maps of a finished run are shown.

import { Niivue, SHOW_RENDER, SLICE_TYPE } from "@niivue/niivue";

const $ = (id) => document.getElementById(id);
const niivue = new Niivue({
  backColor: [0, 0, 0, 1], dragAndDropEnabled: false, loadingText: "", multiplanarShowRender: SHOW_RENDER.NEVER,
  isColorbar: false, crosshairWidth: 0.3, crosshairColor: [0.54, 0.7, 0.97, 0.7],
});
const state = { name: "", buffer: null, restored: null, run: [], map: false };
const worker = new Worker("worker.js", { type: "module" });

function say(text, error = false) {
  $("status").textContent = text;
  $("status").classList.toggle("error", error);
}

function busy(on) {
  document.body.toggleAttribute("aria-busy", on);
  $("progress").hidden = !on;
  $("progress").removeAttribute("value");
  $("restore").disabled = on || !state.buffer;
  $("save").disabled = on || !state.restored;
  $("file").disabled = on;
}

/** Show images, given as bytes or addresses; the first one is the base. */
async function show(images) {
  const given = images.map(({ name, bytes, url, ...more }) => ({
    url: url ?? URL.createObjectURL(new Blob([bytes])), name, ...more,
  }));
  try {
    await niivue.loadVolumes(given);
  } finally {
    given.forEach(({ url }) => url.startsWith("blob:") && URL.revokeObjectURL(url));
  }
}

async function open(file) {
  try {
    state.buffer = await file.arrayBuffer();
    state.name = file.name;
    Object.assign(state, { restored: null, map: false });
    $("compare").hidden = true;
    await show([{ name: file.name, bytes: state.buffer }]);
    say(`${file.name} is open.`);
  } catch (error) {
    state.buffer = null;
    say(`${file.name} cannot be read: ${error.message}`, true);
  }
  busy(false);
}

worker.onmessage = async ({ data }) => {
  if (data.share !== undefined) {
    $("progress").value = data.share;
    return;
  }
  if (data.error) {
    busy(false);
    say(`${state.name} cannot be restored: ${data.error}`, true);
    return;
  }
  state.restored = data.file;
  const found = data.verdict ? `${data.verdict.name}: ${words(data.verdict)} ` : "";
  state.map = false;
  await show([{ name: state.name, bytes: state.buffer }, { name: "restored.nii.gz", bytes: data.file, opacity: 1 }]);
  const { cal_min, cal_max } = niivue.volumes[0];
  Object.assign(niivue.volumes[1], { cal_min, cal_max });
  niivue.updateGLVolume();
  $("after").value = 1;
  $("compare").hidden = false;
  busy(false);
  say([`${found}Done in ${data.seconds.toFixed(1)} s.`, ...data.warnings].join(" "));
};
worker.onerror = (event) => {
  busy(false);
  say(`the page cannot compute here: ${event.message ?? "the worker did not start"}`, true);
};

function words({ name, levels, repaired, least, outside }) {
  if (name === "outside") return `it is no T1-weighted head (probability ${outside.toFixed(2)}) and stays as it was.`;
  const kinds = Object.entries(levels).filter(([kind, level]) => level >= least && !repaired.includes(kind)).sort((a, b) => b[1] - a[1]);
  const found = [...repaired.map((kind) => `${kind} (undone)`), ...kinds.map(([kind, level]) => `${kind} ${level.toFixed(2)}`)];
  return found.length ? `${found.join(", ")}.` : "no damage was found.";
}

$("file").onchange = ({ target }) => target.files[0] && open(target.files[0]);
for (const kind of ["dragover", "dragleave", "drop"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop" && !$("file").disabled && event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
  });
$("restore").onclick = () => {
  busy(true);
  say("Restoring ...");
  worker.postMessage({ buffer: state.buffer.slice(0), gate: $("gate").checked });
};
$("save").onclick = () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([state.restored], { type: "application/gzip" }));
  link.download = `${state.name.replace(/\.nii(\.gz)?$/i, "")}_restored.nii.gz`;
  link.click();
  URL.revokeObjectURL(link.href);
};
$("after").oninput = ({ target }) => niivue.setOpacity(1, Number(target.value));

// A finished run, where the page is served by `view`
const MAP = /_(anomaly|clusters|uncertainty|z|p|brain_mask|filled_mask|mask)\.nii(\.gz)?$|desc-(anomaly|clusters|uncertainty|brain|filled)/i;

async function loadRun() {
  const response = await fetch("run.json").catch(() => null);
  if (!response?.ok) return;
  state.run = (await response.json()).images;
  if (!state.run.length) return;
  const option = (name) => new Option(name, name);
  const maps = state.run.filter((name) => MAP.test(name)), bases = state.run.filter((name) => !MAP.test(name));
  $("base").replaceChildren(...(bases.length ? bases : state.run).map(option));
  $("map").replaceChildren(option(""), ...maps.map(option));
  const near = maps.find((name) => alike(name, $("base").value));
  $("map").value = near ?? "";
  $("run").hidden = false;
  await showRun();
}

const alike = (one, other) => one.split("_")[0] === other.split("_")[0];
const address = (name) => `run/${name.split("/").map(encodeURIComponent).join("/")}`;

async function showRun() {
  const images = [{ name: $("base").value, url: address($("base").value) }];
  const map = $("map").value, labels = /cluster|mask|brain|filled/i.test(map);
  if (map) images.push({ name: map, url: address(map), colormap: labels ? "red" : "warm" });
  $("compare").hidden = true;
  state.map = Boolean(map);
  try {
    await show(images);
    say(`${images.map(({ name }) => name).join(" with ")}`);
  } catch (error) {
    say(`it cannot be shown: ${error.message}`, true);
    return;
  }
  const [, overlay] = niivue.volumes;
  if (overlay) {
    const top = overlay.global_max > 0 ? overlay.global_max : 1;
    Object.assign($("threshold"), { max: top, step: labels ? 1 : top / 200 });
    $("threshold").value = labels ? 1 : top / 4;
    overlay.cal_max = top;
  }
  adjust();
}

function adjust() {
  const overlay = niivue.volumes[1], opacity = Number($("opacity").value), threshold = Number($("threshold").value);
  $("opacity_value").textContent = opacity.toFixed(2);
  $("threshold_value").textContent = threshold.toPrecision(3);
  if (!overlay || !state.map) return;
  overlay.cal_min = Math.min(threshold, overlay.cal_max * 0.999);
  niivue.setOpacity(1, $("shown").checked ? opacity : 0);
}

for (const id of ["base", "map"]) $(id).onchange = showRun;
for (const id of ["opacity", "threshold", "shown"]) $(id).oninput = adjust;

niivue.onLocationChange = ({ mm, values }) => {
  const place = Array.from(mm).slice(0, 3).map((value) => value.toFixed(0)).join(", ");
  $("place").textContent = `${place} mm: ${values.map(({ value }) => Number(value).toPrecision(4)).join(", ")}`;
};
niivue.attachToCanvas($("canvas")).then(() => {
  niivue.setSliceType(SLICE_TYPE.MULTIPLANAR);
  window.page = { niivue, state };
  loadRun();
});
