// SPDX-License-Identifier: Apache-2.0
// Runs the graphs of an exported model; each is loaded when it is first called.

/** A function (word, feeds) that gives the first output of a graph as an image, and, of a field, the second one;
 * `load(file, sha256)` gives the bytes of a file. */
export function graphRunner(ort, manifest, load) {
  const sessions = {};
  return async (word, { image, one = 1, levels, std, guide }) => {
    const { file } = manifest.graphs[word], tensor = (volume) => new ort.Tensor("float32", volume.data, [1, 1, ...volume.shape]);
    sessions[word] ??= await ort.InferenceSession.create(await load(file, manifest.files[file].sha256), { enableMemPattern: false });
    const feeds = { image: tensor(image), scale: new ort.Tensor("float32", Float32Array.of(0, one), [2]) };
    if (levels) feeds.levels = new ort.Tensor("float32", levels.data, levels.shape);
    if (std) feeds.std = new ort.Tensor("float32", Float32Array.of(std), [1]);
    if (guide) feeds.guide = tensor(guide);
    const session = sessions[word], [output, other] = session.outputNames, wanted = word === "field" ? [output, other] : [output];
    const found = await session.run(feeds, wanted);
    return { data: found[output].data, shape: image.shape, second: found[other]?.data };
  };
}
