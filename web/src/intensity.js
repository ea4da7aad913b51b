// SPDX-License-Identifier: Apache-2.0
// Where the intensities of a volume begin and end, and what is background: scripts/anatomy/intensity_range.py and the
// files that it uses, with their constants. A volume is {data, shape: [H, W, D]}, the last axis fastest.

const FLAT = 5e-4, NOISELESS = 3e-3, RIM = 0.05, EXACT = 0.999, MOST_AIR = 8, BRIGHTEST = 2.1, USUAL = 1.65;
const SHOWN = [3.5, 1.5], LEAST = -1, DARK = 0.1, TILE = 4, FACE_SHARE = 0.05, SAMPLE = 50000;
const ZERO = {
  dark: 0.4, airShare: 0.35, symmetric: 3.8, quartile: 0.6745, outlier: 1.2, tied: 0.001, ties: 4, nearAir: 0.05,
  darkest: 0.0005, belowBrain: 1.5, inBrain: 0.1,
};

/** The intensities that become 0 and 1, the most that is shown, the least of a restored voxel, and the background. */
export function intensityRange(volume, upper = 99.5) {
  const { data } = volume;
  const { ordered, share } = orderedSample(volume);
  const [lowest, highest] = ordered.length ? extent(ordered) : [0, 0];
  if (lowest === highest) throw new Error("the volume is constant: there is nothing to restore.");
  const constants = borderConstants(volume, FLAT * (highest - lowest));
  const counts = new Map();
  let rest = ordered;
  for (const one of constants) {
    const others = rest.filter((value) => !matches(one, value));
    counts.set(one.value, rest.length - others.length);
    rest = others;
  }
  if (!rest.length) throw new Error("the volume is constant but for a few voxels: there is nothing to restore.");
  const low = zeroLevel(rest, counts);

  const single = rounding(data), near = constants.map((one) => limits(one.value, one.tolerance, single));
  const outside = (value) => !Number.isFinite(value) || near.some(([a, b]) => value >= a && value <= b);
  let inside = 0;
  for (const value of data) if (!outside(value)) inside += 1;
  const all = inside === data.length || (counts.size === 1 && counts.has(low));
  const count = Math.min(data.length, Math.trunc((1 + MOST_AIR) * inside));
  const guess = Math.trunc(2 * (1 - upper / 100) * count * share);
  const above = rest[Math.max(0, rest.length - 8 - guess)];
  const percentile = topPercentile(data, count, upper, above, low, all ? () => false : outside);
  const { high, most } = brightEnd(rest, low, percentile);
  if (![low, high].every(Number.isFinite)) throw new Error("no scale fits, the voxels are damaged.");
  if (!(high > low)) throw new Error("the volume has no contrast: there is nothing to restore.");

  const lost = Uint8Array.from(data, (value) => (Number.isFinite(value) ? 0 : 1));
  const background = or(lost, air(volume, low, high - low));
  for (const [number, one] of constants.entries()) {
    if (one.value === low) continue;
    const [first, last] = near[number];
    const equal = Uint8Array.from(data, (value) => (value >= first && value <= last ? 1 : 0));
    or(background, low < one.value && one.value < high ? connectedToBorder(equal, volume.shape) : equal);
    const exact = data.reduce((sum, value) => sum + (value === one.value), 0);
    if (exact < 0.9 * sum(equal)) or(background, air(volume, one.value, high - low));
  }
  if (sum(lost)) checkFinite(lost, volume, background, low, high);
  let floor = Infinity;
  for (const value of data) if (Number.isFinite(value) && (all || !outside(value)) && value < floor) floor = value;
  return { low, high, most, floor: Math.max(low, floor), background };
}

/** Hide background, as 0, and what lies far outside, as the median of its neighbours, at most 1; says which voxels were hidden. */
export function hide(scaled, shape, found) {
  const hidden = found.background.slice(), [height, width, depth] = shape;
  const most = Math.fround((found.most - found.low) / (found.high - found.low));
  for (let i = 0; i < scaled.length; i++) if (hidden[i]) scaled[i] = 0;
  const beyond = [];
  for (let i = 0; i < scaled.length; i++) if (scaled[i] < LEAST || scaled[i] > most) beyond.push(i);
  const clip = (value, size) => Math.min(Math.max(value, 0), size - 1);
  const values = beyond.map((place) => {
    const k = place % depth, column = Math.trunc(place / depth) % width, row = Math.trunc(place / (depth * width));
    const around = [];
    for (const i of [-1, 0, 1])
      for (const j of [-1, 0, 1])
        if (i || j) around.push(scaled[(clip(row + i, height) * width + clip(column + j, width)) * depth + k]);
    return Math.min(Math.max(around.sort((a, b) => a - b)[3], 0), 1);
  });
  beyond.forEach((place, number) => {
    scaled[place] = values[number];
    hidden[place] = 1;
  });
  return hidden;
}

/** Whether float32 is fine enough for a volume. */
export function losesNothing(volume) {
  const { ordered } = orderedSample(volume);
  if (!ordered.length) return true;
  const [lowest, highest] = extent(ordered);
  let most = 0;
  for (const value of ordered) {
    const cut = Math.min(Math.max(value, lowest), highest);
    most = Math.max(most, Math.abs(Math.fround(cut) - cut));
  }
  return most <= 1e-4 * (highest - lowest);
}

// histogram.py
function orderedSample({ data, shape }) {
  const step = Math.max(1, roundHalfEven(Math.cbrt(data.length / SAMPLE))), drawn = [];
  let size = 0;
  for (let i = 0; i < shape[0]; i += step)
    for (let j = 0; j < shape[1]; j += step)
      for (let k = 0; k < shape[2]; k += step, size++) {
        const value = data[(i * shape[1] + j) * shape[2] + k];
        if (Number.isFinite(value)) drawn.push(value);
      }
  return { ordered: Float64Array.from(drawn).sort(), share: size / data.length };
}

function extent(ordered) {
  const distinct = ordered.filter((value, i) => i === 0 || value > ordered[i - 1]);
  return [0.02, 0.98].map((share) => distinct[Math.trunc(share * (distinct.length - 1))]);
}

function halfSampleMode(ordered) {
  while (ordered.length > 2) {
    const half = Math.trunc((ordered.length + 1) / 2);
    let shortest = 0, width = Infinity;
    for (let i = 0; i + half - 1 < ordered.length; i++) {
      const here = ordered[i + half - 1] - ordered[i];
      if (here < width) [shortest, width] = [i, here];
    }
    if (width === 0) return ordered[shortest];
    ordered = ordered.subarray(shortest, shortest + half);
  }
  return mean(ordered);
}

function centre(ordered, start, reach) {
  for (let i = 0; i < 4; i++) start = mean(ordered.subarray(search(ordered, start - reach), search(ordered, start + reach)));
  return start;
}

function tie(ordered, least, times) {
  const values = [], counts = [];
  for (const value of ordered) {
    if (values.length && values[values.length - 1] === value) counts[counts.length - 1] += 1;
    else values.push(value), counts.push(1);
  }
  if (!values.length) return [];
  const top = counts.reduce((best, count, i) => (count > counts[best] ? i : best), 0);
  const neighbours = sum(counts.slice(Math.max(top - 2, 0), top + 3)) - counts[top];
  return counts[top] > Math.max(least, (times * neighbours) / 4) ? [[values[top], counts[top]]] : [];
}

// zero_level.py
function zeroLevel(ordered, constants) {
  const at = (quantile) => ordered[Math.trunc(quantile * (ordered.length - 1))];
  const low = at(0.002), high = at(0.98);
  const dark = ordered.subarray(0, search(ordered, low + ZERO.dark * (high - low), true));
  let zero, first, end;
  if (dark.length > ZERO.airShare * ordered.length) {
    const peak = halfSampleMode(dark), darker = dark.subarray(0, 1 + search(dark, peak));
    const [half, last] = [2, 1000].map((share) => peak - darker[Math.trunc(darker.length / share)]);
    if (last > ZERO.symmetric * half) zero = half > 0 ? centre(dark, peak, half / ZERO.quartile) : peak;
    else zero = darker[peak - darker[0] < ZERO.outlier * last ? 0 : Math.trunc(darker.length / 1000)];
    [first, end] = [peak - last - ZERO.nearAir * (high - low), peak + last];
  } else {
    const [p1, p5, p95, p99] = [0.01, 0.05, 0.95, 0.99].map(at);
    zero = at(ZERO.darkest);
    [first, end] = [p5 - ZERO.belowBrain * (p95 - p5), p1 + ZERO.inBrain * (p99 - p1)];
  }
  const possible = new Map([...constants].filter(([value]) => first <= value && value <= end));
  const between = ordered.subarray(search(ordered, first), search(ordered, end));
  for (const [value, count] of tie(between, ZERO.tied * ordered.length, ZERO.ties)) possible.set(value, count);
  let best = -1;
  for (const [value, count] of possible) if (count > best) [zero, best] = [value, count];
  return zero;
}

function topPercentile(data, count, upper, guess, low, left) {
  const place = (count - 1) * (upper / 100), share = place % 1, needed = count - Math.trunc(place);
  const single = rounding(data), limit = single(guess);
  let top = data.filter((value) => value > limit && !left(value));
  if (top.length < needed) top = data.filter((value) => !left(value));
  top = top.sort().slice(-needed);
  if (top.length < needed) return low;
  const [one, two] = [top[0], top[Math.min(1, needed - 1)]], step = single(two - one);
  return share < 0.5 ? one + step * share : two - step * (1 - share);
}

function brightEnd(ordered, low, percentile) {
  let middle = low, clip = percentile;
  for (let i = 0; i < 6; i++) {
    let total = 0;
    for (const value of ordered) total += Math.min(value, clip);
    const tissue = ordered.subarray(search(ordered, Math.max(total / ordered.length, low + 0.6 * (middle - low))));
    middle = tissue[Math.trunc(tissue.length / 2)];
    clip = Math.min(clip, low + BRIGHTEST * (middle - low));
  }
  const shines = percentile > low + BRIGHTEST * (middle - low);
  const high = shines ? low + USUAL * (middle - low) : percentile;
  return { high, most: low + SHOWN[shines ? 1 : 0] * (high - low) };
}

// background.py
function borderConstants({ data, shape }, tolerance) {
  const lines = [];
  for (let axis = 0; axis < 3; axis++)
    for (const end of [0, shape[axis] - 1]) {
      const [a, b] = [0, 1, 2].filter((one) => one !== axis);
      const strides = [shape[1] * shape[2], shape[2], 1];
      for (let i = 0; i + TILE <= shape[a]; i += TILE)
        for (let j = 0; j + TILE <= shape[b]; j += TILE) {
          let lowest = Infinity, highest = -Infinity;
          for (let p = 0; p < TILE; p++)
            for (let q = 0; q < TILE; q++) {
              const value = data[end * strides[axis] + (i + p) * strides[a] + (j + q) * strides[b]];
              lowest = Math.min(lowest, value);
              highest = Math.max(highest, value); // NaN stays, as in NumPy
            }
          lines.push([lowest, highest]);
        }
    }
  const values = Float64Array.from(lines.filter(([a, b]) => b - a <= 2 * tolerance).map(([a, b]) => (a + b) / 2)).sort();
  const groups = [];
  for (const value of values) {
    const group = groups[groups.length - 1];
    if (group && value - group[group.length - 1] <= 2 * tolerance) group.push(value);
    else groups.push([value]);
  }
  return groups
    .filter((group) => group.length >= FACE_SHARE * lines.length)
    .map((group) => ({ value: group[Math.trunc(group.length / 2)], tolerance }));
}

function air(volume, level, range) {
  const { data, shape } = volume, single = rounding(data);
  const within = (reach) => {
    const [first, last] = limits(level, reach, single);
    return Uint8Array.from(data, (value) => (value >= first && value <= last ? 1 : 0));
  };
  const near = within(RIM * range), equal = Uint8Array.from(data, (value) => (value === single(level) ? 1 : 0));
  const found = surroundings(near, shape), count = sum(found);
  if (sum(and(within(NOISELESS * range), found)) < 0.95 * count) return and(found, equal);
  const exact = sum(and(equal.slice(), found)) > EXACT * count;
  return surroundings(exact ? equal : near, shape, 1);
}

function surroundings(dark, shape, margin = 0) {
  const blocks = shape.map((size) => Math.ceil(size / TILE)), [height, width, depth] = shape;
  const whole = new Uint8Array(blocks[0] * blocks[1] * blocks[2]).fill(1);
  const block = (i, j, k) => ((i >> 2) * blocks[1] + (j >> 2)) * blocks[2] + (k >> 2);
  let place = 0;
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++) for (let k = 0; k < depth; k++, place++) if (!dark[place]) whole[block(i, j, k)] = 0;
  let near = connectedToBorder(whole, blocks);
  for (let times = 0; times < margin; times++) for (const axis of [0, 1, 2]) near = spread(near, blocks, axis);
  let lasting = dark.slice();
  for (let i = 0; i < dark.length; i++) {
    const k = i % depth;
    if ((k > 0 && !dark[i - 1]) || (k < depth - 1 && !dark[i + 1])) lasting[i] = 0;
  }
  for (let times = 0; times < margin; times++) lasting = spread(lasting, shape, 2);
  place = 0;
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++) for (let k = 0; k < depth; k++, place++) lasting[place] &= near[block(i, j, k)];
  return lasting;
}

function spread(mask, shape, axis) {
  const wider = mask.slice(), stride = [shape[1] * shape[2], shape[2], 1][axis];
  for (let i = 0; i < mask.length; i++) {
    const place = Math.trunc(i / stride) % shape[axis];
    if ((place > 0 && mask[i - stride]) || (place < shape[axis] - 1 && mask[i + stride])) wider[i] = 1;
  }
  return wider;
}

/** What is connected to the faces over the sides of passable voxels. */
export function connectedToBorder(passable, shape) {
  const [height, width, depth] = shape, plane = width * depth, reached = new Uint8Array(passable.length);
  const waiting = new Int32Array(passable.length);
  let count = 0;
  const reach = (place) => {
    if (passable[place] && !reached[place]) {
      reached[place] = 1;
      waiting[count++] = place;
    }
  };
  for (let place = 0; place < passable.length; place++) {
    const k = place % depth, j = Math.trunc(place / depth) % width, i = Math.trunc(place / plane);
    if (!i || !j || !k || i === height - 1 || j === width - 1 || k === depth - 1) reach(place);
  }
  while (count) {
    const place = waiting[--count], k = place % depth, j = Math.trunc(place / depth) % width, i = Math.trunc(place / plane);
    if (i) reach(place - plane);
    if (i < height - 1) reach(place + plane);
    if (j) reach(place - depth);
    if (j < width - 1) reach(place + depth);
    if (k) reach(place - 1);
    if (k < depth - 1) reach(place + 1);
  }
  return reached;
}

function checkFinite(lost, { data, shape }, background, low, high) {
  const dark = Uint8Array.from(data, (value, i) => (background[i] || value < low + DARK * (high - low) ? 1 : 0));
  const outer = connectedToBorder(dark, shape);
  const inside = lost.reduce((count, value, i) => count + (value && !outer[i] ? 1 : 0), 0);
  if (inside) throw new Error(`${inside} voxels inside the head are NaN or infinite: replace them by a number first.`);
}

// Small helps
const mean = (values) => values.reduce((total, value) => total + value, 0) / values.length;
const sum = (values) => values.reduce((total, value) => total + value, 0);
const matches = (one, value) => value >= one.value - one.tolerance && value <= one.value + one.tolerance;
const limits = (level, reach, single) => [single(level - reach), single(level + reach)];
const rounding = (data) => (data instanceof Float32Array ? Math.fround : (value) => value);

function or(mask, other) {
  for (let i = 0; i < mask.length; i++) mask[i] |= other[i];
  return mask;
}

function and(mask, other) {
  for (let i = 0; i < mask.length; i++) mask[i] &= other[i];
  return mask;
}

function search(ordered, value, after = false) {
  let [first, end] = [0, ordered.length];
  while (first < end) {
    const middle = (first + end) >> 1;
    if (ordered[middle] < value || (after && ordered[middle] === value)) first = middle + 1;
    else end = middle;
  }
  return first;
}

export function roundHalfEven(value) {
  const down = Math.floor(value), rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2) ? down + 1 : down;
}
