// SPDX-License-Identifier: Apache-2.0
// NIfTI-1 and NIfTI-2 single files: read into an array, and written with the header that they came with.

import { losesNothing } from "./intensity.js";

const TYPES = {
  2: ["getUint8", 1], 4: ["getInt16", 2], 8: ["getInt32", 4], 16: ["getFloat32", 4], 64: ["getFloat64", 8],
  256: ["getInt8", 1], 512: ["getUint16", 2], 768: ["getUint32", 4],
};
const UNITS = { 1: 1000, 3: 1e-3 };

async function through(bytes, stream) {
  try {
    return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
  } catch {
    throw new Error("the compressed file is damaged: copy it again.");
  }
}

/** A volume: {data, shape, affine in mm, bytes, ...}, the last axis fastest. */
export async function readNifti(buffer) {
  let bytes = new Uint8Array(buffer);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = await through(bytes, new DecompressionStream("gzip"));
  if (bytes.length < 352) throw new Error("the file is not an image, or its header is damaged.");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = [348, 540].includes(view.getInt32(0, true)), size = view.getInt32(0, little);
  if (![348, 540].includes(size)) throw new Error("the file is not NIfTI (.nii, .nii.gz), or its header is damaged.");
  const two = size === 540, f = (place) => view.getFloat32(place, little), d = (place) => view.getFloat64(place, little);
  const magic = String.fromCharCode(...bytes.subarray(two ? 4 : 344, two ? 7 : 347));
  if (magic !== (two ? "n+2" : "n+1")) throw new Error("a NIfTI pair is not read here: make it one file, .nii.");
  const dims = Array.from({ length: 8 }, (_, i) => (two ? Number(view.getBigInt64(16 + 8 * i, little)) : view.getInt16(40 + 2 * i, little)));
  const pixdim = Array.from({ length: 8 }, (_, i) => (two ? d(104 + 8 * i) : f(76 + 4 * i)));
  const type = view.getInt16(two ? 12 : 70, little), offset = two ? Number(view.getBigInt64(168, little)) : f(108);
  let [slope, inter] = two ? [d(176), d(184)] : [f(112), f(116)];
  if (!Number.isFinite(slope) || slope === 0) [slope, inter] = [1, 0];
  const shape = dims.slice(1, 4);
  if (dims[0] < 3 || dims.slice(4, dims[0] + 1).some((length) => length > 1) || shape.some((length) => length < 1))
    throw new Error(`the image has the dimensions ${dims.slice(1, dims[0] + 1)}: give one three-dimensional volume.`);
  if (Math.min(...shape) < 16) throw new Error(`the volume is ${shape}: at least 16 voxels along each axis are needed.`);
  if (!(type in TYPES)) throw new Error(`the voxels are of NIfTI type ${type}: real numbers are needed.`);
  const [get, width] = TYPES[type], count = shape[0] * shape[1] * shape[2];
  if (bytes.length !== offset + count * width) throw new Error("header and length of the file do not agree: it is damaged.");
  const exact = [8, 64, 768].includes(type) || inter !== 0;
  let data = exact ? new Float64Array(count) : new Float32Array(count);
  for (let k = 0, place = offset; k < shape[2]; k++)
    for (let j = 0; j < shape[1]; j++)
      for (let i = 0; i < shape[0]; i++, place += width)
        data[(i * shape[1] + j) * shape[2] + k] = view[get](place, little) * slope + inter;
  if (exact && losesNothing({ data, shape })) data = Float32Array.from(data);
  const units = view[two ? "getInt32" : "getUint8"](two ? 500 : 123, little) & 7;
  const affine = affineOf(view, two, pixdim, shape, little), unit = UNITS[units] ?? 1;
  const widest = Math.max(...shape.map((length, axis) => length * norm(affine, axis)));
  const plausible = (mm) => mm >= 10 && mm <= 2000;
  const factor = unit === 1 || plausible(unit * widest) || !plausible(widest) ? unit : 1;
  const matrix = affine.map((row) => row.map((value) => value * factor));
  return { data, shape, affine: matrix, bytes, offset, little, two };
}

const norm = (affine, axis) => Math.hypot(affine[0][axis], affine[1][axis], affine[2][axis]);

function affineOf(view, two, pixdim, shape, little) {
  const f = (place) => view.getFloat32(place, little), d = (place) => view.getFloat64(place, little);
  const code = (one) => (two ? view.getInt32(one ? 348 : 344, little) : view.getInt16(one ? 254 : 252, little));
  const row = (start, n) => (two ? d(start + 8 * n) : f(start + 4 * n));
  if (code(1) > 0) return [0, 1, 2].map((i) => [0, 1, 2, 3].map((j) => row(two ? 400 + 32 * i : 280 + 16 * i, j)));
  if (code(0) > 0) {
    const [b, c, e] = [0, 1, 2].map((n) => row(two ? 352 : 256, n)), a = Math.sqrt(Math.max(0, 1 - b * b - c * c - e * e));
    const q = pixdim[0] < 0 ? -1 : 1, [x, y, z] = [pixdim[1], pixdim[2], q * pixdim[3]];
    const move = [0, 1, 2].map((n) => row(two ? 376 : 268, n));
    const turn = [
      [a * a + b * b - c * c - e * e, 2 * (b * c - a * e), 2 * (b * e + a * c)],
      [2 * (b * c + a * e), a * a + c * c - b * b - e * e, 2 * (c * e - a * b)],
      [2 * (b * e - a * c), 2 * (c * e + a * b), a * a + e * e - b * b - c * c],
    ];
    return turn.map((line, i) => [line[0] * x, line[1] * y, line[2] * z, move[i]]);
  }
  return [0, 1, 2].map((i) => {
    const step = (i === 0 ? -1 : 1) * pixdim[i + 1];
    return [0, 1, 2, 3].map((j) => (j === i ? step : j === 3 ? (-step * (shape[i] - 1)) / 2 : 0));
  });
}

/** The bytes of a .nii.gz with the header of a volume and other values, as float32 (float64 of a Float64Array). */
export async function writeNifti(volume, data) {
  const { shape, little, two, offset } = volume, wide = data instanceof Float64Array, width = wide ? 8 : 4;
  const out = new Uint8Array(offset + data.length * width);
  out.set(volume.bytes.subarray(0, offset));
  const view = new DataView(out.buffer);
  view.setInt16(two ? 12 : 70, wide ? 64 : 16, little);
  view.setInt16(two ? 14 : 72, 8 * width, little);
  for (const [n, value] of [[0, Number.NaN], [1, Number.NaN]])
    two ? view.setFloat64(176 + 8 * n, value, little) : view.setFloat32(112 + 4 * n, value, little);
  let place = offset;
  for (let k = 0; k < shape[2]; k++)
    for (let j = 0; j < shape[1]; j++)
      for (let i = 0; i < shape[0]; i++, place += width)
        view[wide ? "setFloat64" : "setFloat32"](place, data[(i * shape[1] + j) * shape[2] + k], little);
  return through(out, new CompressionStream("gzip"));
}
