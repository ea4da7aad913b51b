// SPDX-License-Identifier: Apache-2.0
// Restore one volume with an exported model, as scripts/inference/onnx_volume.py does.

import { hide, intensityRange, roundHalfEven } from "./intensity.js";

const THICK = 1.25, LOST = ["dropout", "holes"], LEAST_LOST = 0.5, LEARNT = [...LOST, "noise"], MOST_OTHER = 0.7;
const TISSUE = 0.15, LONGEST = 4, FEWEST = 49;
const NOTHING = 0.03, MOST = 5, PERCENTILE = 0.995, STRIDE = 11, SLICES = 16, BEYOND = ["motion"], UNDONE = ["noise"];
const VOXELS = 3e5, MARGIN = 3, FIELD = "uneven brightness";
const AXES = { sagittal: ["I", "P", "R"], coronal: ["I", "L", "P"], axial: ["P", "L", "S"] };
const SIDES = { R: [0, 1], L: [0, -1], A: [1, 1], P: [1, -1], S: [2, 1], I: [2, -1] };

/** Restore a volume of readNifti; `run(word, feeds)` gives what model.js says. */
export async function restore(volume, manifest, run, { gate = true, progress = () => {} } = {}) {
  const { spacing_mm: target, coarsest_mm: coarsest } = manifest.image;
  const plane = planeOf(volume.affine, coarsest), turn = turnTo(volume.affine, AXES[plane]);
  const spacing = turn.map(({ axis }) => size(volume.affine, axis));
  const turned = turnedArray(volume, turn);
  const found = intensityRange(turned), unit = found.high - found.low;
  let image = { data: Float32Array.from(turned.data, (value) => (value - found.low) / unit), shape: turned.shape };
  const hidden = hide(image.data, image.shape, found), steps = [1, 1];
  for (const axis of [0, 1]) {
    if (spacing[axis] <= coarsest) continue;
    steps[axis] = target / spacing[axis];
    const count = roundHalfEven((image.shape[axis] - 1) / steps[axis] + 1);
    image = interpolated(image, axis, Array.from({ length: count }, (_, i) => i * steps[axis]));
    spacing[axis] = target;
  }
  const factors = spacing.map((mm) => Math.max(1, roundHalfEven(target / mm)));
  let verdict = null, pred = image, warnings = [];
  if (!manifest.graphs.verdict) {
    factors[2] = 1;
    pred = await byParts(image, factors, (part) => slices(part, run), progress);
  } else {
    const found = await repaired(image, plane, factors, manifest, run);
    pred = found.image;
    verdict = judge(found.odds, manifest.verdict, found.done);
    if (gate && verdict.name === "outside") return { data: volume.data.slice(), verdict, warnings, plane };
    if (!gate || verdict.restores) {
      const levels = found.odds.slice(0, -1), lost = isLost(verdict.levels) && zerosBetweenTissue(image) >= FEWEST, has = (kind) => verdict.levels[kind] >= verdict.least;
      const other = Math.max(...Object.entries(verdict.levels).map(([kind, level]) => (LEARNT.includes(kind) ? 0 : level)));
      if (lost) warnings.push("voxels were lost: there are no repairs by formula here, a network fills them.");
      if (has("noise") && !found.done.includes("noise")) warnings.push("noise is left to a network: the air does not show how strong it is.");
      if (has("bias") && !found.done.includes(FIELD)) warnings.push("uneven brightness is left to a network.");
      const one = found.done.length ? brightEnd(pred) : 1;
      if (found.done.includes("noise")) levels[manifest.verdict.kinds.indexOf("noise")] = 0;
      const whole = (part) => run("volumes", { image: part, one, levels: { data: levels, shape: [1, levels.length] } });
      pred = await byParts(pred, factors, lost && other <= MOST_OTHER ? (part) => slices(part, run, one) : whole, progress);
    }
  }
  let difference = { data: pred.data.map((value, i) => value - image.data[i]), shape: image.shape };
  const largest = difference.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (!(largest <= MOST)) throw new Error("the network's correction makes no sense: is it a head?");
  for (const axis of [0, 1])
    if (steps[axis] !== 1)
      difference = interpolated(difference, axis, Array.from({ length: turned.shape[axis] }, (_, i) => i / steps[axis]));
  const result = turned.data.slice();
  const single = result instanceof Float32Array ? Math.fround : (value) => value, low = single(found.low), floor = single(found.floor);
  for (let i = 0; i < result.length; i++) {
    const value = result[i], darkest = Math.min(value, floor), least = darkest + (value === low ? NOTHING * unit : 0);
    const restored = value + (hidden[i] ? 0 : difference.data[i] * unit);
    if (restored < least) result[i] = darkest;
    else if (!hidden[i]) result[i] = restored;
  }
  return { data: turnedBack({ data: result, shape: turned.shape }, turn, volume.shape), verdict, warnings, plane };
}

/** The image without noise and without its bias field, where they are known, what was done, and the odds. */
async function repaired(image, plane, factors, { repairs, verdict: { kinds, least } }, run) {
  const noise = kinds.indexOf("noise"), done = [];
  let odds = await oddsOf(image, factors, run);
  const lost = zerosBetweenTissue(image) >= FEWEST;
  const level = odds[noise];
  if (!repairs || (lost && isLost(Object.fromEntries(kinds.map((kind, i) => [kind, odds[i]]))))) return { image, done, odds };
  const std = level > repairs.noise ? (await run("noise_level", { image })).data[0] : 0;
  if (std) {
    image = await withoutNoise(image, std, run);
    const after = await oddsOf(image, factors, run);
    odds = odds.map((before, i) => (i === noise || i === kinds.length ? before : Math.min(before, after[i])));
    done.push("noise");
  }
  if (plane === "sagittal" && odds[kinds.length] < repairs.unknown && level < repairs.most_noise && !done.length) {
    const flat = await run("field", { image });
    if (flat.second[0] > repairs.field) {
      image = { data: flat.data, shape: image.shape };
      const after = await oddsOf(image, factors, run);
      odds = odds.map((before, i) => (i === kinds.length ? before : after[i]));
      done.push(FIELD);
    }
  }
  const others = odds.filter((_, i) => i < kinds.length && !LOST.includes(kinds[i]));
  if (!lost && Math.max(...others) < least) odds = odds.map((one, i) => (LOST.includes(kinds[i]) ? 0 : one)); // a false alarm
  return { image, done, odds };
}

/** How many zeros lie in runs of up to four with tissue before and behind, along any axis. */
function zerosBetweenTissue({ data, shape }) {
  const found = new Uint8Array(data.length), strides = [shape[1] * shape[2], shape[2], 1];
  for (const axis of [0, 1, 2]) {
    const stride = strides[axis], size = shape[axis];
    for (let start = 0; start < data.length; start++) {
      if (!(data[start] > TISSUE)) continue;
      const left = size - 1 - (Math.trunc(start / stride) % size); // voxels after it
      let run = 1;
      while (run <= Math.min(LONGEST, left - 1) && data[start + run * stride] === 0) run++;
      if (run > 1 && run <= left && data[start + run * stride] > TISSUE)
        for (let i = 1; i < run; i++) found[start + i * stride] = 1;
    }
  }
  return found.reduce((sum, one) => sum + one, 0);
}

async function withoutNoise(image, std, run) {
  const [height, width, depth] = image.shape, size = Math.max(MARGIN, Math.trunc(Math.sqrt(VOXELS / depth)) - 2 * MARGIN);
  let guide = null;
  for (const word of ["noise_threshold", "noise_weight", "noise_average"]) {
    const done = { data: new Float32Array(image.data.length), shape: image.shape };
    for (let i = 0; i < height; i += size)
      for (let j = 0; j < width; j += size) {
        const [top, left] = [i, j].map((start) => Math.max(0, start - MARGIN));
        const [bottom, right] = [[i, height], [j, width]].map(([start, all]) => Math.min(all, start + size + MARGIN));
        const some = (whole) => whole && cut(whole, top, bottom, left, right);
        const part = await run(word, { image: some(image), std, guide: some(guide) });
        for (let row = i; row < Math.min(height, i + size); row++) {
          const first = ((row - top) * (right - left) + j - left) * depth, count = (Math.min(width, j + size) - j) * depth;
          done.data.set(part.data.subarray(first, first + count), (row * width + j) * depth);
        }
      }
    guide = done;
  }
  return guide;
}

/** Some rows and columns. */
function cut({ data, shape: [, width, depth] }, top, bottom, left, right) {
  const count = (right - left) * depth, out = new Float32Array((bottom - top) * count);
  for (let i = top; i < bottom; i++) out.set(data.subarray((i * width + left) * depth, (i * width + right) * depth), (i - top) * count);
  return { data: out, shape: [bottom - top, right - left, depth] };
}

const isLost = (levels) => Math.max(...LOST.map((kind) => levels[kind])) >= LEAST_LOST;

function judge(odds, { kinds, least, outside }, repaired) {
  const levels = Object.fromEntries(kinds.map((kind, i) => [kind, odds[i]])), out = odds[kinds.length];
  const damaged = repaired.length > 0 || Math.max(...Object.values(levels)) >= least;
  const name = out >= outside ? "outside" : damaged ? "damaged" : "fine";
  const undone = [...BEYOND, ...UNDONE.filter((kind) => repaired.includes(kind))];
  const called = Math.max(...kinds.filter((kind) => !undone.includes(kind)).map((kind) => levels[kind])) >= least;
  return { name, levels, repaired, outside: out, least, restores: name === "damaged" && called };
}

const oddsOf = async (image, factors, run) =>
  (await run("verdict", { image: dealOut(image, factors)[0], one: brightEnd(image) })).data;

function brightEnd(image) {
  const some = Float32Array.from({ length: Math.ceil(image.data.length / STRIDE) }, (_, i) => image.data[i * STRIDE]).sort();
  return Math.max(1e-3, some[Math.max(1, Math.trunc(PERCENTILE * some.length)) - 1]);
}

async function slices(part, run, one = 1) {
  const [height, width, depth] = part.shape, number = Math.ceil(depth / SLICES), data = new Float32Array(part.data.length);
  for (let n = 0; n < number; n++) {
    const first = Math.floor((n * depth) / number), end = Math.floor(((n + 1) * depth) / number), some = end - first;
    const piece = new Float32Array(height * width * some);
    for (let i = 0; i < height * width; i++) piece.set(part.data.subarray(i * depth + first, i * depth + end), i * some);
    const done = await run("slices", { image: { data: piece, shape: [height, width, some] }, one });
    for (let i = 0; i < height * width; i++) data.set(done.data.subarray(i * some, (i + 1) * some), i * depth + first);
  }
  return { data, shape: part.shape };
}

async function byParts(image, factors, work, progress) {
  const parts = dealOut(image, factors), done = [];
  for (const [number, part] of parts.entries()) {
    done.push(await work(part));
    progress((number + 1) / parts.length);
  }
  return putTogether(done, factors, image.shape);
}

export function dealOut(image, factors) {
  const [height, width, depth] = image.shape, [f, g, h] = factors, parts = [];
  const shape = image.shape.map((length, axis) => Math.ceil(length / factors[axis]));
  for (let a = 0; a < f; a++)
    for (let b = 0; b < g; b++)
      for (let c = 0; c < h; c++) {
        const data = new Float32Array(shape[0] * shape[1] * shape[2]);
        let place = 0;
        for (let i = a; i < shape[0] * f; i += f)
          for (let j = b; j < shape[1] * g; j += g)
            for (let k = c; k < shape[2] * h; k += h)
              data[place++] = image.data[(Math.min(i, height - 1) * width + Math.min(j, width - 1)) * depth + Math.min(k, depth - 1)];
        parts.push({ data, shape });
      }
  return parts;
}

export function putTogether(parts, [f, g, h], shape) {
  const data = new Float32Array(shape[0] * shape[1] * shape[2]), [, width, depth] = parts[0].shape;
  let place = 0;
  for (let i = 0; i < shape[0]; i++)
    for (let j = 0; j < shape[1]; j++)
      for (let k = 0; k < shape[2]; k++) {
        const part = parts[((i % f) * g + (j % g)) * h + (k % h)];
        data[place++] = part.data[(Math.trunc(i / f) * width + Math.trunc(j / g)) * depth + Math.trunc(k / h)];
      }
  return { data, shape };
}

function interpolated({ data, shape }, axis, places) {
  const size = shape.map((length, one) => (one === axis ? places.length : length)), out = new Float32Array(size[0] * size[1] * size[2]);
  const strides = [shape[1] * shape[2], shape[2], 1], last = shape[axis] - 1;
  const steps = places.map((place) => {
    const inside = Math.min(Math.max(place, 0), last), before = Math.trunc(inside);
    return [before, Math.min(before + 1, last), Math.fround(inside - before)];
  });
  let place = 0;
  const at = [0, 0, 0];
  for (at[0] = 0; at[0] < size[0]; at[0]++)
    for (at[1] = 0; at[1] < size[1]; at[1]++)
      for (at[2] = 0; at[2] < size[2]; at[2]++) {
        const [before, after, share] = steps[at[axis]];
        const start = at.reduce((sum, value, one) => sum + (one === axis ? 0 : value * strides[one]), 0);
        out[place++] = data[start + before * strides[axis]] * (1 - share) + data[start + after * strides[axis]] * share;
      }
  return { data: out, shape: size };
}

// Axes
const size = (affine, axis) => Math.hypot(affine[0][axis], affine[1][axis], affine[2][axis]);

/** Of each axis of the file, the one of the world that it follows, and whether it grows with it. */
export function axesOf(affine) {
  const left = new Set([0, 1, 2]), found = [];
  const ordered = [0, 1, 2].sort((a, b) => Math.max(...column(affine, b)) - Math.max(...column(affine, a)));
  for (const axis of ordered) {
    const values = column(affine, axis);
    const world = [...left].reduce((best, one) => (values[one] > values[best] ? one : best), [...left][0]);
    left.delete(world);
    found[axis] = [world, affine[world][axis] < 0 ? -1 : 1];
  }
  return found;
}

const column = (affine, axis) => [0, 1, 2].map((row) => Math.abs(affine[row][axis]) / size(affine, axis));

function planeOf(affine, coarsest) {
  const sizes = [0, 1, 2].map((axis) => size(affine, axis)), thick = sizes.indexOf(Math.max(...sizes));
  const others = Math.max(...sizes.filter((_, axis) => axis !== thick));
  const isThick = sizes[thick] > coarsest && sizes[thick] > THICK * others;
  return isThick ? ["sagittal", "coronal", "axial"][axesOf(affine)[thick][0]] : "sagittal";
}

/** Rows, columns and slices of a plane: the axis of the file that each follows, and whether it is turned around. */
function turnTo(affine, sides) {
  const own = axesOf(affine);
  return sides.map((side) => {
    const [world, sign] = SIDES[side], axis = own.findIndex(([one]) => one === world);
    return { axis, flipped: own[axis][1] !== sign };
  });
}

function places(turn, from) {
  const strides = [from[1] * from[2], from[2], 1];
  return turn.map(({ axis, flipped }) =>
    Array.from({ length: from[axis] }, (_, i) => (flipped ? from[axis] - 1 - i : i) * strides[axis]));
}

function turnedArray({ data, shape }, turn) {
  const [rows, columns, depths] = places(turn, shape), out = new data.constructor(data.length);
  let place = 0;
  for (const i of rows) for (const j of columns) for (const k of depths) out[place++] = data[i + j + k];
  return { data: out, shape: [rows.length, columns.length, depths.length] };
}

function turnedBack({ data }, turn, shape) {
  const [rows, columns, depths] = places(turn, shape), out = new data.constructor(data.length);
  let place = 0;
  for (const i of rows) for (const j of columns) for (const k of depths) out[i + j + k] = data[place++];
  return out;
}
