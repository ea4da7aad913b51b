# SPDX-License-Identifier: Apache-2.0
"""Restore the volumes of a folder with an exported model: no torch, no MONAI, no config that is evaluated."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from ..anatomy.planes import AUTO, check_plane, voxel_sizes
from ..files.errors import failure_reason
from ..files.find_volumes import VOLUME_PATTERNS, find_volumes
from ..files.folder_claim import claimed
from ..files.hashes import content_hash
from ..files.nifti_image import INPUT, save_nifti
from .gate import Gate
from .onnx_model import OnnxModel
from .onnx_volume import load_volume, restore_volume, shown
from .report import RestorationReport

__all__ = ["OnnxFolder"]

logger = logging.getLogger(__name__)

DTYPES = (INPUT, "float32", "float64")


class OnnxFolder:
    """Restoration of a folder, as the inference config does it, as far as an exported model goes.

    Args:
        dataset_dir: folder of the volumes.
        output_dir: folder of the results and of the report.
        model: exported model.
        plane: of the slices, see :func:`~scripts.anatomy.planes.plane_of`.
        gate: whether what is fine or lies outside of the training is left alone.
        dtype: type of the results: "input", "float32" or "float64"; "": float32, or float64 where that is too coarse.
        max_memory: gigabytes that a volume may take.
        patterns: names of image files.
        skip_existing: keep results of the same files with the same settings.
        dry_run: say what would be done, and write nothing.

    Attributes:
        report: outcome of each volume.

    Raises:
        ValueError: an option has no such value.
    """

    def __init__(
        self,
        dataset_dir: str,
        output_dir: str,
        model: OnnxModel,
        *,
        plane: str = AUTO,
        gate: bool = True,
        dtype: str = "",
        max_memory: float = 8.0,
        patterns: Sequence[str] = VOLUME_PATTERNS,
        skip_existing: bool = False,
        dry_run: bool = False,
    ) -> None:
        check_plane(plane)
        if dtype and dtype not in DTYPES:
            raise ValueError(f"dtype {dtype!r} is unknown: choose {', '.join(DTYPES)}.")
        if not max_memory > 0:
            raise ValueError(f"max_memory must be a positive number of gigabytes, got {max_memory}.")
        self.model, self.plane, self.dtype, self.max_memory, self.patterns = model, plane, dtype, max_memory, patterns
        verdict = model.manifest["verdict"]
        self.gate = Gate(verdict["least"], verdict["outside"]) if gate and verdict else None
        settings = content_hash(["onnx", model.fingerprint(), plane, self.gate is not None, dtype])
        self.report = RestorationReport(dataset_dir, output_dir, settings, skip_existing, dry_run)

    def run(self) -> None:
        """Restore every volume; one that fails does not stop the others.

        Raises:
            SkippedVolumesError: a volume could not be restored.
            ValueError: the folder holds no volumes.
            OSError: the folder of the results cannot be written to.
        """
        report = self.report
        items = find_volumes(report.dataset_dir, report.output_dir, self.patterns)
        logger.warning(
            "runtime onnx, model %s: left out are %s", self._name, "; ".join(self.model.manifest["left_out"])
        )
        finished = False
        with nullcontext() if report.dry_run else claimed(report.output_dir):
            waiting = report.begin(items)
            try:
                for item in waiting:
                    self._restore(item)
                finished = True
            finally:
                report.write(finished)
        report.finish()

    @property
    def _name(self) -> str:
        return f"{self.model.manifest['name']} {self.model.manifest['version']}"

    def _restore(self, item: Any) -> None:
        name, output = item["name"], item["output"]
        error = item["error"] or self.report.conflict(name, output)
        if error:
            self.report.skip(name, error)
            return
        try:
            self._restore_one(name, output, Path(item["image"]))
        except Exception as failure:  # whatever it is, it concerns this volume alone
            self.report.skip(name, failure_reason(failure))

    def _restore_one(self, name: str, output: str, path: Path) -> None:
        begin = time.perf_counter()
        volume = load_volume(path, self.max_memory)
        seen = shown(volume, self.model, self.plane, self.max_memory)
        facts: dict[str, Any] = {
            "shape": list(volume.values.shape),
            "spacing_mm": voxel_sizes(volume.affine).round(4).tolist(),
            "resampled": seen.resampled,
            "plane": seen.plane,
            "skull_stripped": seen.stripped,
            "warnings": volume.warnings,
        }
        if self.report.dry_run:
            self.report.foresee(name, output, **facts)
            return
        done = restore_volume(volume, seen, self.model, self.gate)
        if done.verdict is not None:
            facts |= {"verdict": done.verdict.name, "reason": done.verdict.reason, "damage": done.verdict.levels}
        self.report.clear(output)
        values = done.values.astype(np.float64 if done.values.dtype == np.float64 else np.float32, copy=False)
        remark = save_nifti(values, volume.affine, self.report.output_dir / output, volume.meta, self.dtype or None)
        facts["warnings"] = [*volume.warnings, *done.warnings, *([remark] if remark else [])]
        self.report.restore(name, output, runtime="onnx", **facts, seconds=round(time.perf_counter() - begin, 3))
