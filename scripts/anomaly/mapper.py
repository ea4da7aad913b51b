# SPDX-License-Identifier: Apache-2.0
"""Anomaly maps of single heads: detector, calibration and clusters together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from monai.data import MetaTensor
from numpy.typing import NDArray
from torch import Tensor

from ..inference.gate import DAMAGED, OUTSIDE, Verdict
from .calibration import LINE, Calibration, HealthyScores
from .clusters import Cluster, cluster_strengths, label_clusters, named_clusters, standing_out
from .detector import Detector, Head
from .working_grid import GivenHead, WorkingGrid

__all__ = ["AnomalyMap", "AnomalyMapper"]


@dataclass(frozen=True)
class AnomalyMap:
    """What is anomalous in a head, on its own grid.

    Attributes:
        values: minus log10 p, float32 ``(X, Y, Z)``; 0 outside of the brain; beyond 4 it is no
            p-value any more, see :class:`Calibration`; beside called clusters below the line, see
            :func:`~scripts.anomaly.clusters.standing_out`.
        clusters: numbers of the called clusters, same shape.
        brain: mask, same shape.
        table: the called clusters, the strongest first.
        share: share of the brain above the line, before the called clusters were made to stand out.
        warnings: what the map must not be trusted for.
        head: the head as the detector saw it, on a grid of its own.
        head_values: minus log10 p on that grid, likewise before.
        head_clusters: numbers of the called clusters on that grid.
        verdict: of the gate on the volume; ``None`` where it was not asked, or cannot tell.
        skull_stripped: whether the volume shows a brain alone.
    """

    values: Tensor
    clusters: Tensor
    brain: Tensor
    table: list[Cluster]
    share: float
    warnings: list[str]
    head: Head
    head_values: Tensor
    head_clusters: NDArray[np.int32]
    skull_stripped: bool
    verdict: Verdict | None = None


class AnomalyMapper:
    """Maps anomalies of T1-weighted heads, whole or skull-stripped, in any orientation and unit.

    Args:
        detector: detector that scores voxels.
        calibration: what its scores mean.
        grid: brings volumes to the grid of the detector.
        level: a cluster is called if its p is at most this.
        examine: gives the verdict on a volume, see :class:`~scripts.inference.examiner.Examiner`.

    Raises:
        ValueError: the level is not in (0, 1).
    """

    def __init__(
        self,
        detector: Detector,
        calibration: Calibration | None,
        grid: WorkingGrid,
        level: float = 0.05,
        examine: Callable[[MetaTensor], Verdict] | None = None,
    ) -> None:
        if not 0 < level < 1:
            raise ValueError(f"level must be between 0 and 1, got {level}.")
        self.detector, self.calibration, self.grid, self.level = detector, calibration, grid, level
        self.examine = examine

    def __call__(self, volume: MetaTensor, brain: MetaTensor | None = None, warnings: Sequence[str] = ()) -> AnomalyMap:
        """Map a volume.

        Args:
            volume: ``(1, X, Y, Z)`` with its affine.
            brain: brain mask with its affine, on any grid; by default it is found.
            warnings: what is known to be wrong with the volume.

        Raises:
            ValueError: no brain is found, or the volume has no contrast.
        """
        given = self.grid(volume, brain)
        values = self.values(given.head)
        labels, table = self.called(given.head, values)
        share = float((values > LINE).sum() / given.head.brain.sum())
        verdict = self._verdict(volume, given)
        return AnomalyMap(
            given.on_own_grid(torch.from_numpy(standing_out(values.numpy(), labels > 0, LINE))),
            given.on_own_grid(torch.from_numpy(labels), "nearest").to(torch.int32),
            given.brain.as_tensor()[0] > 0,
            table,
            share,
            [*warnings, *_doubts_of(verdict), *given.warnings, *self._doubts(share)],
            given.head,
            values,
            labels,
            given.skull_stripped,
            verdict,
        )

    def _verdict(self, volume: MetaTensor, given: GivenHead) -> Verdict | None:
        """The verdict on a volume, which for a skull-stripped one tells no more than whether it lies outside."""
        verdict = self.examine(volume) if self.examine else None
        return None if verdict and given.skull_stripped and verdict.name != OUTSIDE else verdict

    def scores(self, head: Head) -> HealthyScores:
        """Scores of a healthy head, to calibrate on."""
        return HealthyScores(self.detector(head)[head.brain].numpy(), head.brain)

    def values(self, head: Head) -> Tensor:
        """Minus log10 p of a head's voxels, and what goes beyond, see :class:`Calibration`."""
        return self.calibrated()(self.detector(head), head.brain)

    def called(self, head: Head, values: Tensor) -> tuple[NDArray[np.int32], list[Cluster]]:
        """The called clusters of a map: numbered image and table."""
        calibration = self.calibrated()
        labels = label_clusters(values.numpy())
        strengths = cluster_strengths(labels, values.numpy())
        p, false, q = (
            measure(strengths)
            for measure in (calibration.p_of_clusters, calibration.false_clusters, calibration.false_discovery_rates)
        )
        order = [number for number in np.argsort(-strengths, kind="stable") if p[number] <= self.level]
        numbers = np.zeros(len(strengths) + 1, dtype=np.int32)
        numbers[np.array(order, dtype=int) + 1] = np.arange(1, len(order) + 1)
        labels = numbers[labels]
        return labels, named_clusters(labels, values.numpy(), head, p[order], false[order], q[order])

    def calibrated(self) -> Calibration:
        """The calibration.

        Raises:
            ValueError: there is none.
        """
        if self.calibration is None:
            raise ValueError("the detector has no calibration: make one from healthy heads, with --calibrate CONTROLS.")
        return self.calibration

    def _doubts(self, share: float) -> list[str]:
        """What the calibration itself says against a map."""
        calibration = self.calibrated()
        doubts = []
        if calibration.smallest_p > self.level:
            doubts.append(
                f"no cluster can be called at p {self.level:g}: {calibration.heads} healthy heads support "
                f"{calibration.smallest_p:.3f} at least."
            )
        if share > 2 * max(calibration.shares):
            doubts.append(
                f"{100 * share:.1f} % of the brain is above {LINE:g}, at most {100 * max(calibration.shares):.1f} % in "
                "healthy heads: a large lesion, or a head from outside of the calibration, whose p-values are false. "
                "Calibrate on healthy heads of the same scanner."
            )
        return doubts

    def calibrated_on(self, calibration: Calibration) -> AnomalyMapper:
        """The same with another calibration."""
        return AnomalyMapper(self.detector, calibration, self.grid, self.level, self.examine)


def _doubts_of(verdict: Verdict | None) -> list[str]:
    """What a verdict says against a map."""
    if verdict and verdict.name == OUTSIDE:
        text = (
            f"outside of the training (probability {verdict.outside:.2f}): not T1-weighted, no head, or of very low "
            "quality. Neither map nor clusters can be trusted."
        )
        return [text]
    if verdict and verdict.name == DAMAGED:
        return [f"{verdict.reason}. The map may show the damage: restore the volume first."]
    return []
