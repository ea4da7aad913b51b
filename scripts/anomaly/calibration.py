# SPDX-License-Identifier: Apache-2.0
"""What a detector's scores mean: learned from healthy heads, counted by heads.

Neighbouring voxels are no independent observations, so every number is a mean over heads or a rank among heads, and no
p-value of a head or of a cluster is less than 1 / (number of heads + 1).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ..files.atomic import replacing
from .clusters import cluster_strengths, label_clusters
from .detector import WORKING_MM

__all__ = ["BEYOND", "LEAST_HEADS", "LEVELS", "LINE", "Calibration", "HealthyScores", "depth_of"]

SCHEMA = 1
LINE = 2.0
"""Above it lie 1 % of the voxels of healthy brains."""
LEVELS = np.arange(0, 4.05, 0.05)
"""Minus log10 of p. Less than one voxel in 10,000 is some vessel or another of a few heads."""
BEYOND = 4.0
"""What lies beyond the last level goes on at the pace of the last of them, up to so much more: it tells voxels and
clusters apart, but is no p-value, because no heads support one."""
LINES = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5)
"""Levels at which it is kept how much healthy heads differ."""
STEPS = 20
"""Levels from which the pace is taken."""
DEPTHS_MM = (4.0, 8.0, 16.0)
"""Scores of a voxel are compared with those as far below the surface of the brain: fluid, cortex, deeper, inside."""
LEAST_HEADS = 5
Array = NDArray[np.float64]


def depth_of(brain: Tensor) -> NDArray[np.intp]:
    """Which of the layers of :data:`DEPTHS_MM` each voxel of a brain lies in, ``(N,)``, voxels in C order."""
    padded = np.pad(brain.numpy(), 1)
    inside = ndimage.distance_transform_edt(padded)[1:-1, 1:-1, 1:-1][brain.numpy()]
    return np.searchsorted(DEPTHS_MM, WORKING_MM * inside)


@dataclass(frozen=True)
class HealthyScores:
    """Scores of one healthy head.

    Attributes:
        scores: of the voxels of the brain, in C order.
        brain: mask.
    """

    scores: NDArray[np.floating]
    brain: Tensor


@dataclass(frozen=True)
class Calibration:
    """What scores are usual in healthy heads.

    Attributes:
        detector: name of the detector.
        heads: number of healthy heads.
        source: what heads they are.
        quantiles: for each layer, the score that a share of 10 ** -level of its voxels reaches, level by level.
        shares: share of each head's brain above the line, each measured with a calibration of the other heads.
        strongest: strength of the strongest cluster of each head, measured likewise, ascending; 0 where there is none.
        strengths: strengths of all clusters of all heads, ascending.
        sha256: of the weights of the detector's network; "" where it has none.
        above: for each of :data:`LINES`, the share of each head's brain above it, measured likewise, ascending; none in
            older files.
    """

    detector: str
    heads: int
    source: str
    quantiles: list[list[float]]
    shares: list[float]
    strongest: list[float]
    strengths: list[float]
    sha256: str = ""
    above: list[list[float]] = field(default_factory=list)

    @classmethod
    def learn(cls, healthy: Sequence[HealthyScores], detector: str, source: str = "", sha256: str = "") -> Calibration:
        """Learn from healthy heads.

        Args:
            healthy: scores of each.
            detector: name of the detector.
            source: what heads they are.
            sha256: of the detector's weights.

        Raises:
            ValueError: there are fewer than :data:`LEAST_HEADS`.
        """
        if len(healthy) < LEAST_HEADS:
            raise ValueError(f"{len(healthy)} healthy heads are too few to calibrate on: give at least {LEAST_HEADS}.")
        depths = [depth_of(one.brain) for one in healthy]
        grids, exceeding = zip(*(_exceedance(healthy, depths, k) for k in range(len(DEPTHS_MM) + 1)), strict=True)
        shares, strongest, strengths, above = [], [], [], []
        for i, one in enumerate(healthy):
            others = np.arange(len(healthy)) != i
            quantiles = [_quantiles(grid, part[others]) for grid, part in zip(grids, exceeding, strict=True)]
            found = _map(one.scores, depths[i], quantiles)
            own = _strengths(_volume(found, one.brain))
            shares.append(float((found > LINE).mean()))
            above.append([float((found > line).mean()) for line in LINES])
            strongest.append(float(own.max(initial=0.0)))
            strengths += own.tolist()
        quantiles = [_quantiles(grid, part) for grid, part in zip(grids, exceeding, strict=True)]
        return cls(
            detector,
            len(healthy),
            source,
            [[float(f"{value:.6g}") for value in row] for row in quantiles],
            shares,
            sorted(strongest),
            sorted(strengths),
            sha256,
            np.sort(np.array(above), axis=0).T.tolist(),
        )

    def __call__(self, scores: Tensor, brain: Tensor) -> Tensor:
        """Minus log10 of the share of healthy voxels, as far below the surface, that score as high.

        Args:
            scores: shape ``(H, W, D)``.
            brain: mask, same shape.

        Returns:
            0 outside of the brain; beyond 4 it is no p-value any more, see :data:`BEYOND`.
        """
        return torch.from_numpy(
            _volume(_map(scores[brain].numpy(), depth_of(brain), [np.array(row) for row in self.quantiles]), brain)
        )

    def p_of_clusters(self, strengths: Array) -> Array:
        """P-value of each cluster: how likely a healthy head has any cluster as strong.

        Among n + 1 exchangeable healthy heads, the strongest cluster of one is as likely of any rank: the chance that a
        healthy head has any cluster with p at most a is at most a.
        """
        reached = len(self.strongest) - np.searchsorted(self.strongest, strengths, side="left")
        return (1 + reached) / (len(self.strongest) + 1)

    def false_clusters(self, strengths: Array) -> Array:
        """How many clusters as strong a healthy head has on average."""
        return (len(self.strengths) - np.searchsorted(self.strengths, strengths, side="left")) / self.heads

    def false_discovery_rates(self, strengths: Array) -> Array:
        """Estimated share of false ones among the clusters of one head that are called down to each strength.

        It is the number that a healthy head has, one more in all heads than were seen, over the number in this head.
        """
        order = np.argsort(strengths)  # ascending: the more are called, the weaker the last one
        expected = self.false_clusters(strengths)[order] + 1 / (self.heads + 1)
        rates = np.minimum(1.0, expected / np.arange(len(strengths), 0, -1))
        result = np.empty(len(strengths))
        result[order] = np.minimum.accumulate(rates)
        return result

    def strength_at(self, false_clusters: float) -> float:
        """The strength that so many clusters of a healthy head exceed on average."""
        index = len(self.strengths) - int(false_clusters * self.heads)
        return self.strengths[index - 1] if index > 0 else 0.0

    def spread(self) -> dict[float, list[float]]:
        """Share of each healthy head's brain above each line, ascending."""
        return dict(zip(LINES, self.above, strict=True)) if self.above else {LINE: sorted(self.shares)}

    @property
    def smallest_p(self) -> float:
        """The smallest p-value of a cluster."""
        return 1 / (self.heads + 1)

    def summary(self) -> str:
        """What the healthy heads support, in two lines."""
        shares = 100 * np.array(self.shares)
        return (
            f"{self.heads} healthy heads; each beside the others has {shares.mean():.2f} % of its brain above "
            f"{LINE:g} ({shares.min():.2f} to {shares.max():.2f} %), 1 % expected.\n"
            f"The smallest p of a cluster is 1/{self.heads + 1} = {self.smallest_p:.3f}; on average a head has "
            f"{len(self.strengths) / self.heads:.1f} clusters of any size."
        )

    def save(self, path: Path) -> None:
        """Write a JSON file, each entry on a line of its own."""
        content = {"schema": SCHEMA, "levels": [round(float(level), 2) for level in LEVELS], "depths_mm": DEPTHS_MM}
        lines = (f'"{name}": {json.dumps(value)}' for name, value in (content | _rounded(asdict(self))).items())
        with replacing(path) as partial:
            partial.write_text("{\n " + ",\n ".join(lines) + "\n}\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is damaged, or of another version.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(
                f"there is no calibration at {path}: make one from healthy heads, with --calibrate CONTROLS."
            )
        try:
            content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
            known = (content.pop("schema"), content.pop("levels"), tuple(content.pop("depths_mm")))
            if known[0] == SCHEMA and known[2] == DEPTHS_MM and np.allclose(known[1], LEVELS):
                read = cls(**content)
                curves = np.shape(read.above) if read.above else (len(LINES), read.heads)
                shapes = (np.shape(read.quantiles), curves)
                if read.heads >= LEAST_HEADS and shapes == (
                    (len(DEPTHS_MM) + 1, len(LEVELS)),
                    (len(LINES), read.heads),
                ):
                    return read
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"the calibration {path} is damaged ({error}): make it again, with --calibrate."
            ) from error
        raise ValueError(f"the calibration {path} is of another version: make it again, with --calibrate CONTROLS.")


def _exceedance(healthy: Sequence[HealthyScores], depths: list[NDArray[np.intp]], layer: int) -> tuple[Array, Array]:
    """Scores of one layer, ascending, and the share of each head's voxels that reach them, ``(heads, scores)``."""
    parts = [np.sort(one.scores[depth == layer].astype(np.float64)) for one, depth in zip(healthy, depths, strict=True)]
    pooled = np.sort(np.concatenate(parts))
    if not len(pooled):
        return np.zeros(1), np.ones((len(parts), 1))
    place = 1 - 10 ** -np.arange(0, LEVELS[-1] + 1, 0.01)  # finer than the levels, and further
    grid = np.unique(pooled[np.minimum((place * len(pooled)).astype(int), len(pooled) - 1)])
    grid = np.append(grid, np.nextafter(pooled[-1], np.inf))
    shares = [(len(part) - np.searchsorted(part, grid, side="left")) / max(1, len(part)) for part in parts]
    return grid, np.array(shares)


def _quantiles(grid: Array, shares: Array) -> Array:
    """Score at each level: where the mean over heads of the share that reaches it is 10 ** -level."""
    reached = -np.log10(np.maximum(shares.mean(axis=0), 1e-9))
    return np.interp(LEVELS, np.maximum.accumulate(reached), grid)


def _map(scores: NDArray[np.floating], depth: NDArray[np.intp], quantiles: Sequence[Array]) -> NDArray[np.float32]:
    found = np.zeros(len(scores), dtype=np.float32)
    for layer, row in enumerate(quantiles):
        there = depth == layer
        pace = max(float(row[-1] - row[-1 - STEPS]), 1e-6) / (LEVELS[-1] - LEVELS[-1 - STEPS])
        further = np.clip((scores[there] - row[-1]) / pace, 0, BEYOND)
        found[there] = np.interp(scores[there], row, LEVELS) + further
    return found


def _volume(values: NDArray[np.float32], brain: Tensor) -> NDArray[np.float32]:
    volume = np.zeros(tuple(brain.shape), dtype=np.float32)
    volume[brain.numpy()] = values
    return volume


def _strengths(values: NDArray[np.float32]) -> Array:
    return cluster_strengths(label_clusters(values), values)


def _rounded(content: dict[str, Any]) -> dict[str, Any]:
    """Numbers with six digits: a file of tens of kilobytes."""

    def rounded(value: Any) -> Any:
        if isinstance(value, list):
            return [rounded(part) for part in value]
        return float(f"{value:.6g}") if isinstance(value, float) else value

    return {name: rounded(value) for name, value in content.items()}
