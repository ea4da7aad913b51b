# SPDX-License-Identifier: Apache-2.0
"""Restore a folder of volumes: what the inference config needs besides transforms."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor, affine_to_spacing
from monai.engines import SupervisedEvaluator
from monai.utils import optional_import
from torch import nn

from .. import __version__
from ..engines import accelerate, fold_batch_norm
from ..files.atomic import write_json
from ..files.bids import write_derivative_description
from ..files.errors import failure_reason
from ..recipes.weights import load_weights
from ..transforms.plane import plane_axcodes
from .volumes import find_volumes

tqdm, has_tqdm = optional_import("tqdm", name="tqdm")

__all__ = [
    "RestorationEvaluator", "RestorationReport", "SkippedVolumesError", "check_options", "load_network", "volumes",
]  # fmt: skip


def check_options(plane: str, spatial_dims: int, anomaly: bool) -> None:
    """Refuse what inference cannot do.

    Raises:
        ValueError: the plane is unknown, the network is not two-dimensional, or anomaly maps are asked for.
    """
    plane_axcodes(plane)
    if anomaly:
        raise ValueError("anomaly maps are not available yet: leave anomaly false.")
    if spatial_dims != 2:
        raise ValueError(f"inference works slice by slice, got spatial_dims {spatial_dims}: use a network of 2.")


def volumes(
    dataset_dir: str, output_dir: str, patterns: list[str], description: str = "restored"
) -> list[dict[str, str]]:
    """:func:`~scripts.inference.volumes.find_volumes` for the config.

    Raises:
        ValueError: no folder is given, or what that function says.
        OSError: see there.
    """
    if not dataset_dir:
        raise ValueError("dataset_dir is not set: give the folder of the volumes, --dataset_dir IN.")
    return find_volumes(dataset_dir, output_dir, patterns, description)


def load_network(network: nn.Module, weights: str, device: torch.device | str, amp: bool) -> nn.Module:
    """Put weights into a network and the network on its device.

    Args:
        network: network that receives the weights.
        weights: file of a state dictionary.
        device: device on which the network runs.
        amp: whether to compute in bfloat16.

    Returns:
        The network, in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no weights, or those of another network.
    """
    return accelerate(fold_batch_norm(load_weights(network, weights).eval()), device, amp)


class SkippedVolumesError(ValueError):
    """Some volumes could not be restored; the others were."""


class RestorationReport:
    """Outcome of each volume, kept in ``report.json``.

    Args:
        dataset_dir: folder of the volumes.
        output_dir: folder of the results and of the report.
    """

    def __init__(self, dataset_dir: str, output_dir: str) -> None:
        self.dataset_dir = Path(dataset_dir)
        self.output_dir = Path(output_dir)
        self.outputs: dict[str, str] = {}
        self.restored: list[dict[str, Any]] = []
        self.skipped: list[dict[str, str]] = []
        self.dicom_without_images = 0

    def restore(self, name: str, output: str, **facts: Any) -> None:
        """Note a volume that was written."""
        self.restored.append({"name": name, "output": output, **facts})

    def conflict(self, name: str, output: str) -> str:
        """Say which input has a result of this name already; "" where none has. Case is ignored, as some disks do."""
        first = self.outputs.setdefault(output.lower(), name)
        return "" if first == name else f"its result {output} is that of {first} already: rename one of the two."

    def skip(self, name: str, reason: str) -> None:
        """Note a volume that was not, and say so in one line on standard error."""
        self.skipped.append({"name": name, "reason": reason})
        _tell(f"skipped {name}: {reason}")

    def write(self) -> None:
        """Write ``report.json`` by rename, and the description of a BIDS derivative where the input is BIDS.

        Raises:
            OSError: the folder cannot be made or written to.
        """
        if self.output_dir.exists() and not self.output_dir.is_dir():
            raise NotADirectoryError(f"output_dir '{self.output_dir}' is a file: give a folder.")
        content: dict[str, Any] = {
            "dataset_dir": str(self.dataset_dir),
            "restored": self.restored,
            "skipped": self.skipped,
        }
        if self.dicom_without_images:
            content["dicom_without_images"] = self.dicom_without_images
        write_json(self.output_dir / "report.json", content)
        write_derivative_description(self.dataset_dir, self.output_dir, "brain-mri-autoencoders", __version__)

    def finish(self) -> None:
        """End the command.

        Raises:
            SkippedVolumesError: a volume was skipped; how many, and where the report is.
        """
        total, report = len(self.restored) + len(self.skipped), self.output_dir / "report.json"
        if self.skipped:
            raise SkippedVolumesError(f"{len(self.skipped)} of {total} volumes were skipped, see {report}")
        _tell(f"restored {total} volumes, see {report}")


def _tell(line: str) -> None:
    """Write a line to standard error, above the progress bar where there is one."""
    if has_tqdm:
        tqdm.write(line, file=sys.stderr)
    else:
        sys.stderr.write(f"{line}\n")


class RestorationEvaluator(SupervisedEvaluator):
    """``SupervisedEvaluator`` in which a volume may fail, in reading, computing or writing, and the next is done.

    A volume is finished (postprocessing, which writes it) in another thread while the network restores the next one.

    Args:
        report: report of the outcome of each volume.
        postprocessing: transform of the item of a volume with its ``pred``.
        overlap_voxels: largest number of voxels of a volume that is finished while the next one is restored; larger
            ones are finished first, to save memory.
        kwargs: arguments of ``SupervisedEvaluator``; the loader gives items of ``VolumeDataset``, one a batch.
    """

    def __init__(
        self,
        report: RestorationReport,
        postprocessing: Callable[[dict[str, Any]], dict[str, Any]],
        overlap_voxels: float = math.inf,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.report = report
        self.postprocess = postprocessing
        self.overlap_voxels = overlap_voxels
        self.finishing: Future[None] | None = None

    def run(self, global_epoch: int = 1) -> None:  # type: ignore[override]
        """Restore every volume.

        The report is written first, so that a folder that cannot be written to ends the run before any work, and again
        at the end, even when the run is interrupted.
        """
        loader: Any = self.data_loader
        self.report.dicom_without_images = getattr(loader.dataset.data, "without_images", 0)
        self.report.write()
        try:
            with ThreadPoolExecutor(1, "finish") as self.finisher:
                super().run(global_epoch)
        finally:
            self.report.write()

    def _iteration(self, engine: SupervisedEvaluator, batchdata: dict[str, Any]) -> dict[str, Any]:
        name, error, output = (batchdata[key][0] for key in ("name", "error", "output"))
        error = error or self.report.conflict(name, output)
        if error:
            self.report.skip(name, error)
            return {}
        begin = time.perf_counter()
        facts = _facts(batchdata["original"][0], batchdata["image"][0])
        large = batchdata["image"].numel() > self.overlap_voxels
        if large:
            self._wait()
        try:
            super()._iteration(engine, batchdata)
        except Exception as failure:  # out of memory: it concerns this volume alone
            self.report.skip(name, failure_reason(failure))
            return {}
        item = {**engine.state.batch[0], **engine.state.output[0]}
        batchdata.clear()  # from here on nobody but the finishing thread holds the volume: it can drop it
        engine.state.batch = engine.state.output = None
        self._wait()
        self.finishing = self.finisher.submit(self._finish, item, begin, facts)
        del item
        if large:
            self._wait()
        return {}

    def _wait(self) -> None:
        """Let the volume before come to its end."""
        if self.finishing is not None:
            self.finishing.result()

    def _finish(self, item: dict[str, Any], begin: float, facts: dict[str, Any]) -> None:
        name, output = item["name"], item["output"]
        try:
            self.postprocess(item)
        except Exception as failure:  # a full disk: it concerns this volume alone
            self.report.skip(name, failure_reason(failure))
        else:
            self.report.restore(name, output, **facts, seconds=round(time.perf_counter() - begin, 3))


def _facts(original: MetaTensor, image: MetaTensor) -> dict[str, Any]:
    """Shape and voxel size of a volume as loaded, and whether the network was given interpolated voxels."""
    spacing, seen = (np.asarray(affine_to_spacing(volume.affine), dtype=float) for volume in (original, image))
    return {
        "shape": list(original.shape[1:]),
        "spacing_mm": spacing.round(4).tolist(),
        "resampled": not np.allclose(np.sort(spacing), np.sort(seen), rtol=1e-4),
    }
