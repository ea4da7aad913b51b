// SPDX-License-Identifier: Apache-2.0
// Runs the graphs of an exported model; each is loaded when it is first called.

/** A function (word, feeds) that gives the first output of a graph; `load(file, sha256)` gives the bytes of a file. */
export function graphRunner(ort, manifest, load) {
  const sessions = {};
  return async (word, { image, one = 1, levels }) => {
    const { file } = manifest.graphs[word];
    sessions[word] ??= await ort.InferenceSession.create(await load(file, manifest.files[file].sha256));
    const feeds = {
      image: new ort.Tensor("float32", image.data, [1, 1, ...image.shape]),
      scale: new ort.Tensor("float32", Float32Array.of(0, one), [2]),
    };
    if (levels) feeds.levels = new ort.Tensor("float32", levels.data, levels.shape);
    const session = sessions[word], output = session.outputNames[0];
    return { data: (await session.run(feeds, [output]))[output].data, shape: image.shape };
  };
}
