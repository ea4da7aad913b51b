# SPDX-License-Identifier: Apache-2.0
"""Write a published restorer as ONNX, with a manifest in plain JSON: for places where no Python code may be run."""

from __future__ import annotations

import logging
import shutil
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from monai.bundle import ConfigParser
from torch import Tensor, nn

from .. import __version__
from ..anatomy.damage_kinds import KINDS
from ..anatomy.planes import PLANE_AXCODES
from ..engines import fold_batch_norm
from ..files.atomic import write_json
from ..files.hashes import file_hash
from ..networks import RestorerNet
from ..networks.blocks import SIZE_MULTIPLE
from ..recipes.places import PUBLISHED, ROOT
from ..recipes.trained import TrainedRecipe
from ..repairs.noise import averaged, noise_level, thresholded, weighted
from .gate import Gate
from .onnx_model import FORMAT, MANIFEST, checked_manifest
from .volume_inferer import LEAST_FIELD, MOST, NOISE, UNKNOWN, judged

__all__ = [
    "FieldGraph", "NoiseGraph", "NoiseLevelGraph", "SliceGraph", "VerdictGraph", "VolumeGraph", "export", "write_model",
]  # fmt: skip

OPSET = 17
LEFT_OUT = (
    "repairs by formula of lost voxels, ghosts, spikes and blur",
    "DICOM, MetaImage and NRRD",
    "--mode fill",
    "--uncertainty",
    "--anomaly",
    "GPUs",
)
"""What the ONNX runtime does not do and the torch runtime does."""


def scaled(image: Tensor, scale: Tensor) -> Tensor:
    """The image with nothing 0 and the bright end 1."""
    return (image - scale[0]) / (scale[1] - scale[0])


class Behind(nn.Module):
    """A network, or a function without weights, behind images in a unit of their own."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network


class Scaled(Behind):
    """A network of network space that takes images of some sizes alone.

    Args:
        network: the network.
        symmetric: whether zeros are added on both sides, not only after the last row and column.
    """

    def __init__(self, network: nn.Module, symmetric: bool = False) -> None:
        super().__init__(network)
        self.symmetric = symmetric
        self.multiple = int(getattr(network, "size_multiple", SIZE_MULTIPLE))

    def shown(self, image: Tensor, scale: Tensor) -> tuple[Tensor, int, int]:
        """The image in network space, and where its first row and column are."""
        height, width = image.shape[2:4]
        rows, columns = ((size + self.multiple - 1) // self.multiple * self.multiple for size in (height, width))
        top, left = ((rows - height) // 2, (columns - width) // 2) if self.symmetric else (0, 0)
        pad = (0, 0, left, columns - width - left, top, rows - height - top)
        return F.pad(scaled(image, scale), pad), top, left


class VerdictGraph(Behind):
    """What a verdict tells of a volume: levels of damage, and the probability of lying outside of the training."""

    def forward(self, image: Tensor, scale: Tensor) -> Tensor:
        """Shape ``(1, kinds + 1)`` of a volume ``(1, 1, H, W, D)``; ``scale`` is what becomes 0 and 1, ``(2,)``."""
        odds: Tensor = torch.sigmoid(self.network(judged(scaled(image, scale))))
        return odds


class NoiseLevelGraph(Behind):
    """Standard deviation of the noise of a volume: :func:`~scripts.repairs.noise.noise_level`."""

    def forward(self, image: Tensor, scale: Tensor) -> Tensor:
        """Shape ``(1,)``, in the unit of the image ``(1, 1, H, W, D)``; 0 where the air does not show it."""
        level: Tensor = self.network(image[0, 0] - scale[0])
        return level[None]


class NoiseGraph(Behind):
    """A step of :func:`~scripts.repairs.remove_noise`, of a volume and the result of the step before."""

    def forward(self, image: Tensor, scale: Tensor, std: Tensor, *guide: Tensor) -> Tensor:
        """Shape of ``image`` and ``guide``, ``(1, 1, H, W, D)``; ``std`` is that of the noise, ``(1,)``."""
        volumes = [(one[0, 0] - scale[0]) / std for one in (image, *guide)]
        done: Tensor = self.network(*volumes)
        return done[None, None] * std + scale[0]


class FieldGraph(Behind):
    """A volume without its bias field, and the root mean square of the logarithm of its gain, ``(1,)``."""

    def forward(self, image: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Shape of ``image``, ``(1, 1, H, W, D)``."""
        restored, strength = self.network.undo(scaled(image, scale))
        return restored * (scale[1] - scale[0]) + scale[0], strength


class VolumeGraph(Scaled):
    """A network for volumes that is told levels: restored volume and standard deviation, in the unit of the image."""

    def forward(self, image: Tensor, scale: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Shapes of ``image``, ``(1, 1, H, W, D)``; ``levels`` has the shape ``(1, kinds)``."""
        height, width = image.shape[2:4]
        both = self.network(self.shown(image, scale)[0], levels)[:, :, :height, :width]
        unit = scale[1] - scale[0]
        return both[:, :1] * unit + scale[0], both[:, 1:].exp() * unit


class SliceGraph(Scaled):
    """A network for slices, which are those along the last axis of a volume."""

    def forward(self, image: Tensor, scale: Tensor) -> Tensor:
        """Shape of ``image``, ``(1, 1, H, W, D)``."""
        height, width = image.shape[2:4]
        shown, top, left = self.shown(image, scale)
        restored = self.network(shown[0].permute(3, 0, 1, 2)).permute(1, 2, 3, 0)[None]  # (D, 1, H, W) inside
        return restored[:, :, top : top + height, left : left + width] * (scale[1] - scale[0]) + scale[0]


class Graph(NamedTuple):
    """A module, and what goes in and comes out of it."""

    module: nn.Module
    inputs: tuple[str, ...] = ("image", "scale")
    outputs: tuple[str, ...] = ("restored",)


def export(name: str, output_dir: str | Path, weights: str = "") -> Path:
    """Write a published restorer as ONNX.

    Args:
        name: a folder of ``bundle`` whose network restores images.
        output_dir: folder of the graphs, the manifest, the model card and the licences.
        weights: state dictionary of a training of the same network; by default the published one.

    Returns:
        Path of the manifest.

    Raises:
        ValueError: there is no such model, or it returns no images; the folder holds something else.
        FileNotFoundError: there are no such weights.
        ModuleNotFoundError: the package onnx is missing.
    """
    source = _published(name)
    recipe = str(ROOT / ConfigParser.load_config_file(source / "recipe.yaml")["args_file"])
    trained = TrainedRecipe(recipe, weights or str(source / "model.pt"))
    return write_model(name, trained.network, output_dir, file_hash(trained.weights))


def write_model(name: str, network: nn.Module, output_dir: str | Path, weights_sha256: str) -> Path:
    """Write a network of the kind of a published one, see :func:`export`.

    Args:
        name: the published one, whose card and metadata it has.
        network: network with its weights, in evaluation mode.
        output_dir: see :func:`export`.
        weights_sha256: checksum of its weights.

    Returns:
        Path of the manifest.
    """
    import onnx  # noqa: F401  # torch needs it, and says so less clearly

    source, folder = _published(name), Path(output_dir)
    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise ValueError(f"output_dir '{folder}' is not empty and holds no {MANIFEST}: give a folder of its own.")
    graphs = _graphs(name, network)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)  # until all is there, there is no model
    for word, graph in graphs.items():
        _write_graph(graph, folder / f"{word}.onnx")
    for origin in (source / "README.md", *_licences()):
        shutil.copyfile(origin, folder / origin.name)
    metadata = ConfigParser.load_config_files([ROOT / "configs/metadata.json", source / "metadata.json"])
    manifest = _manifest(name, metadata, graphs, folder) | {"weights_sha256": weights_sha256}
    write_json(folder / MANIFEST, checked_manifest(manifest))
    return folder / MANIFEST


def _published(name: str) -> Path:
    known = sorted(path.parent.name for path in PUBLISHED.glob("*/recipe.yaml"))
    if name not in known:
        raise ValueError(f"there is no published model {name!r}: choose from {', '.join(known)}.")
    return PUBLISHED / name


def _licences() -> list[Path]:
    """Licence of the code and of the data, in a checkout, or else where the package is installed."""
    found = [ROOT / "LICENSE", ROOT / "docs/data_license.txt"]
    if found[0].is_file():
        return found
    from importlib.metadata import files

    listed = files("brain-mri-autoencoders") or []
    return [Path(str(file.locate())) for file in listed if file.name in ("LICENSE", "data_license.txt")]


def _graphs(name: str, network: nn.Module) -> dict[str, Graph]:
    if isinstance(network, RestorerNet):
        return {
            "verdict": Graph(VerdictGraph(network.verdict), outputs=("levels",)),
            "volumes": Graph(VolumeGraph(network.volumes), ("image", "scale", "levels"), ("restored", "uncertainty")),
            "slices": Graph(SliceGraph(fold_batch_norm(network.slices))),
            "field": Graph(FieldGraph(network.field), outputs=("restored", "strength")),
            "noise_level": Graph(NoiseLevelGraph(noise_level), outputs=("std",)),
            "noise_threshold": Graph(NoiseGraph(thresholded), ("image", "scale", "std")),
            "noise_weight": Graph(NoiseGraph(weighted), ("image", "scale", "std", "guide")),
            "noise_average": Graph(NoiseGraph(averaged), ("image", "scale", "std", "guide")),
        }
    try:
        with torch.no_grad():
            restores = network(torch.zeros(1, 1, 16, 16)).shape == (1, 1, 16, 16)
    except Exception:  # a network of another kind: of codes, of masks, of another size
        restores = False
    if not restores:
        raise ValueError(f"{name} returns no restored images: brain_mri_restorer and brain_mri_autoencoder do.")
    return {"slices": Graph(SliceGraph(fold_batch_norm(network), symmetric=True))}


def _write_graph(graph: Graph, path: Path) -> None:
    """Trace a graph at one size; all sizes stay free."""
    image, guide = torch.rand(2, 1, 1, 45, 54, 33)
    examples = {"image": image, "scale": torch.tensor([0.0, 2.0]), "levels": torch.rand(1, 9)}
    examples |= {"guide": guide, "std": torch.tensor([0.1])}
    free = {2: "rows", 3: "columns", 4: "slices"}
    images = [word for word in (*graph.inputs, *graph.outputs) if word in ("image", "guide", "restored", "uncertainty")]
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of tracing: what it takes for constants are constants, which tests show
        torch.onnx.export(
            graph.module.eval(),
            tuple(examples[word] for word in graph.inputs),
            str(path),
            dynamo=False,  # the other exporter fixes the sizes, and takes minutes
            opset_version=OPSET,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_axes=dict.fromkeys(images, free),
        )


def _manifest(name: str, metadata: dict[str, Any], graphs: dict[str, Graph], folder: Path) -> dict[str, Any]:
    gate = Gate()
    verdict = {"kinds": list(KINDS), "least": gate.least, "outside": gate.outside}
    repairs = {"noise": NOISE, "field": LEAST_FIELD, "most_noise": MOST, "unknown": UNKNOWN}
    others = {"README.md": "card", **{path.name: "licence" for path in _licences()}}
    return {
        "format": FORMAT,
        "name": name,
        "version": metadata["version"],
        "task": metadata["task"],
        "made_with": {"brain-mri-autoencoders": __version__, "torch": str(torch.__version__), "opset": OPSET},
        "licence": "Apache-2.0",
        "calibrated_for": {"data": metadata["data_source"], "use": metadata["intended_use"]},
        "image": {
            "axes": "1, 1, rows, columns, slices",
            "type": "float32",
            "orientations": dict(PLANE_AXCODES),
            "plane": "sagittal; thick slices in their own plane",
            "spacing_mm": 2.0,
            "coarsest_mm": 8 / 3,
            "scale": "two intensities in the unit of the image: that of nothing (air), and the 99.5th percentile",
        },
        "verdict": verdict if "verdict" in graphs else None,
        "repairs": repairs if "field" in graphs else None,
        "graphs": {
            word: {"file": f"{word}.onnx", "inputs": list(graph.inputs), "outputs": list(graph.outputs)}
            for word, graph in graphs.items()
        },
        "files": {
            file: {"sha256": file_hash(folder / file), "what": what}
            for file, what in {**{f"{word}.onnx": "graph" for word in graphs}, **others}.items()
        },
        "left_out": list(LEFT_OUT),
    }
