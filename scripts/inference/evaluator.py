# SPDX-License-Identifier: Apache-2.0
"""Restore a folder of volumes: what the inference config needs besides transforms."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor, affine_to_spacing
from monai.engines import SupervisedEvaluator
from torch import nn

from ..engines import accelerate, fold_batch_norm
from ..files.bids import redescribed
from ..files.errors import failure_reason
from ..files.folder_claim import claimed
from ..files.sidecar import DICOM
from ..recipes.weights import load_weights
from ..transforms.domain import STRIPPED
from ..transforms.load_volume import WARNINGS
from ..transforms.plane import PLANE, check_plane
from ..transforms.restore_on_input_grid import FILLED
from ..transforms.save_dicom import REASON
from .masks import mask_output, with_masks
from .report import COMPANIONS, FILL, RESTORE, RestorationReport
from .volumes import find_volumes, no_dicom_result

__all__ = ["RestorationEvaluator", "check_options", "load_network", "volumes"]


def check_options(
    plane: str, spatial_dims: int, anomaly: bool, mode: str = RESTORE, mask: str = "", uncertainty: bool = False
) -> None:
    """Refuse what inference cannot do.

    Raises:
        ValueError: the plane or the mode is unknown, the network has other than two or three dimensions, anomaly maps
            are asked for, a mask is missing or of no use.
    """
    if mode not in (RESTORE, FILL):
        raise ValueError(f"mode {mode!r} is unknown: choose {RESTORE} or {FILL}.")
    if mode == FILL and not mask:
        raise ValueError("mask is not set: give what is to be filled, --mask FILE or a folder of masks.")
    if mode == RESTORE and mask:
        raise ValueError(f"mask {mask!r} is of no use where the whole volume is restored: add --mode fill.")
    if uncertainty and (mode == FILL or spatial_dims != 3):
        raise ValueError("uncertainty is told by the restorer of whole volumes alone: leave it out.")
    check_plane(plane)
    if anomaly:
        raise ValueError(
            "anomaly maps are made by configs/anomaly.yaml, or by restore --anomaly true: leave anomaly false."
        )
    if spatial_dims not in (2, 3):
        raise ValueError(f"spatial_dims must be 3 (whole volumes) or 2 (slice by slice), got {spatial_dims}.")


def volumes(
    dataset_dir: str,
    output_dir: str,
    patterns: list[str],
    mask: str = "",
    description: str = "restored",
    uncertainty: bool = False,
    dicom: bool = False,
) -> list[dict[str, str]]:
    """:func:`~scripts.files.find_volumes.find_volumes` for the config, with masks where ``mask`` is given.

    With ``uncertainty`` its map and the mask of what was filled are named as well, with ``dicom`` the folder of a
    derived series; a volume of which none can be made gets an ``error``.

    Raises:
        ValueError: no folder is given, or what that function says.
        OSError: see there.
    """
    if not dataset_dir:
        raise ValueError("dataset_dir is not set: give the folder of the volumes, --dataset_dir IN.")
    if mask:
        items = with_masks(find_volumes(dataset_dir, output_dir, patterns, "filled"), mask, dataset_dir)
    else:
        items = find_volumes(dataset_dir, output_dir, patterns, description)
    if dicom:
        for item in items:
            item["error"] = item["error"] or no_dicom_result(item)
            item["source"] = item["image"]
            item[DICOM] = f"{item['output'].removesuffix('.nii.gz')}_dicom"
    if uncertainty:
        for item in items:
            item["output_uncertainty"] = redescribed(item["output"], description, "uncertainty")
            item["output_mask"] = mask_output(PurePath(redescribed(item["output"], description, "filled"))).as_posix()
    return items


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
        finished = False
        with nullcontext() if self.report.dry_run else claimed(self.report.output_dir):
            loader.dataset.data = self.report.begin(loader.dataset.data)
            self.state.epoch_length = len(loader)
            try:
                with ThreadPoolExecutor(1, "finish") as self.finisher:
                    if len(loader):
                        super().run(global_epoch)
                finished = True
            finally:
                self.report.write(finished)

    def _iteration(self, engine: SupervisedEvaluator, batchdata: dict[str, Any]) -> dict[str, Any]:
        name, error, output = (batchdata[key][0] for key in ("name", "error", "output"))
        companions = {key: batchdata[key][0] for key in (*COMPANIONS, DICOM) if key in batchdata}
        error = error or self.report.conflict(name, output, *companions.values())
        if error:
            self.report.skip(name, error)
            return {}
        begin = time.perf_counter()
        large = batchdata["image"].numel() > self.overlap_voxels
        if large:
            self._wait()
        try:
            facts = _facts(batchdata["original"][0], batchdata["image"][0])
            facts |= companions
            if "mask" in batchdata:
                facts["filled_voxels"] = int(batchdata["mask"].sum())
            facts["skull_stripped"] = bool(batchdata.get(STRIPPED, [False])[0])
            if self.report.dry_run:
                self.report.foresee(name, output, **facts, warnings=batchdata.get(WARNINGS, [""])[0].splitlines())
                return {}
            super()._iteration(engine, batchdata)
            verdict = getattr(self.inferer, "verdict", None)
            if verdict is not None:
                facts |= {"verdict": verdict.name, "reason": verdict.reason, "damage": verdict.levels}
            item = {REASON: facts.get("reason", ""), **engine.state.batch[0], **engine.state.output[0]}
        except Exception as failure:  # out of memory: it concerns this volume alone
            self.report.skip(name, failure_reason(failure))
            return {}
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
        try:
            self.report.clear(item["output"])
            item = self.postprocess(item)
            if FILLED in item:
                facts["filled_voxels"] = int(item[FILLED].sum())
            facts["warnings"] = item.get(WARNINGS, "").splitlines()
            self.report.restore(item["name"], item["output"], **facts, seconds=round(time.perf_counter() - begin, 3))
        except Exception as failure:  # a full disk: it concerns this volume alone
            self.report.skip(item["name"], failure_reason(failure))


def _facts(original: MetaTensor, image: MetaTensor) -> dict[str, Any]:
    """Shape and voxel size of a volume as loaded, and whether the network was given interpolated voxels."""
    spacing, seen = (np.asarray(affine_to_spacing(volume.affine), dtype=float) for volume in (original, image))
    return {
        "shape": list(original.shape[1:]),
        "spacing_mm": spacing.round(4).tolist(),
        "resampled": not np.allclose(np.sort(spacing), np.sort(seen), rtol=1e-4),
        "plane": image.meta.get(PLANE),
    }
