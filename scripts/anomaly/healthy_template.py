# SPDX-License-Identifier: Apache-2.0
"""What healthy brains look like on average: mean and standard deviation of intensity, and regions, at 4 mm.

The template was made from the training heads of a cohort by ``python -m scripts.studies.healthy_template``; its axes
are those of RAS space, its origin is the centre of the brain. A head is aligned by an affine map that maximises the
correlation of the two brains, by gradient descent from the place and the size of the brain mask: half a second.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..anatomy.template_registration import Field
from .detector import Head

__all__ = ["HealthyTemplate", "shipped_template"]

FILE = Path(__file__).with_name("healthy_template.npz")
TEMPLATE_MM = 4.0
SHAPE = (40, 50, 42)
"""Of the grid: 160, 200 and 168 mm."""
STEPS = ((8, 0.02, 40), (4, 0.01, 25))
"""Distance in mm of the points that are compared, learning rate and number of steps."""
UNIT_MM = 50.0
"""Translation that one unit of a parameter makes."""


class HealthyTemplate:
    """Mean, standard deviation and regions of healthy brains.

    Args:
        mean: mean intensity of the brains in units of each brain's median, 0 outside, ``(X, Y, Z)``.
        sd: standard deviation between heads, same shape and unit.
        regions: number of the region of each voxel, 0 outside, same shape.
        names: name of each region, the first that of 0.
    """

    def __init__(
        self, mean: NDArray[np.floating], sd: NDArray[np.floating], regions: NDArray[np.integer], names: list[str]
    ) -> None:
        affine = np.diag([TEMPLATE_MM] * 3 + [1.0])
        affine[:3, 3] = [-(size - 1) / 2 * TEMPLATE_MM for size in mean.shape]
        self.mean, self.sd, self.affine = Field(mean, affine), Field(sd, affine), affine
        self.regions, self.names = regions, names
        self._last: tuple[Head, Tensor] | None = None
        inside = torch.from_numpy(mean > 0.1).flatten()
        self.centre, self.size = _extent(self.mean.voxels()[inside])
        self.points = {
            step: (points := self.mean.voxels(int(step / TEMPLATE_MM)), self.mean(points)) for step, _, _ in STEPS
        }

    @classmethod
    def load(cls, path: str | Path = FILE) -> HealthyTemplate:
        """Read what :meth:`save` wrote."""
        with np.load(path) as stored:
            mean, sd = stored["mean"] / 100.0, stored["sd"] / 200.0
            return cls(mean.astype(np.float32), sd.astype(np.float32), stored["regions"], stored["names"].tolist())

    def save(self, path: str | Path = FILE) -> None:
        """Write the template, intensities in steps of a hundredth of the median."""
        mean, sd = self.mean.values[0, 0].numpy(), self.sd.values[0, 0].numpy()
        mean, sd = (np.clip(np.rint(part), 0, 255).astype(np.uint8) for part in (mean * 100, sd * 200))
        np.savez_compressed(path, mean=mean, sd=sd, regions=self.regions.astype(np.uint8), names=np.array(self.names))

    def fit(self, head: Head) -> Tensor:
        """Align a head; that of the last one is kept, as a detector and the names of clusters ask for the same.

        Returns:
            Map from the head's millimetres to the template's, ``(3, 4)``.
        """
        if self._last is None or self._last[0] is not head:
            self._last = head, self._fit(head)
        return self._last[1]

    def _fit(self, head: Head) -> Tensor:
        centre, size = _extent(head.points(head.brain)[::7])
        stripped = (head.image * head.brain / head.image[head.brain].median()).clamp(max=2)
        field = Field(stripped.numpy(), head.affine)
        matrix, shift = torch.diag(size / self.size), centre / UNIT_MM
        for step, rate, number in STEPS:
            points, target = self.points[step]
            matrix, shift = _ascend(field, points - self.centre, target, matrix, shift, rate, number)
        inverse = torch.linalg.inv(matrix)
        return torch.cat([inverse, (self.centre - inverse @ (shift * UNIT_MM))[:, None]], dim=1)

    def region(self, place: Tensor) -> str:
        """Name of the region at a place in the template's millimetres; of the nearest one within 8 mm."""
        index = (np.asarray(place, dtype=np.float64) - self.affine[:3, 3]) / TEMPLATE_MM
        low, high = np.maximum(np.rint(index).astype(int) - 2, 0), np.rint(index).astype(int) + 3
        part = self.regions[tuple(slice(a, max(a, b)) for a, b in zip(low, high, strict=True))]
        there = np.argwhere(part)
        if not len(there):
            return "outside of the atlas"
        nearest = there[np.square(there + low - index).sum(axis=1).argmin()]
        return self.names[int(part[tuple(nearest)])]


@cache
def shipped_template() -> HealthyTemplate:
    """The template that comes with the package."""
    return HealthyTemplate.load()


def _extent(points: Tensor) -> tuple[Tensor, Tensor]:
    """Centre and size of a brain: mean and standard deviation of its places."""
    return points.mean(dim=0), points.std(dim=0)


def _ascend(
    field: Field, points: Tensor, target: Tensor, matrix: Tensor, shift: Tensor, rate: float, number: int
) -> tuple[Tensor, Tensor]:
    matrix, shift = (part.clone().requires_grad_() for part in (matrix, shift))
    optimizer = torch.optim.Adam([matrix, shift], lr=rate, maximize=True)
    centred = target - target.mean()
    with torch.enable_grad():
        for _ in range(number):
            optimizer.zero_grad()
            values = field(points @ matrix.T + shift * UNIT_MM)
            values = values - values.mean()
            ((centred * values).sum() / (values.square().sum() + 1e-6).sqrt()).backward()
            optimizer.step()
    return matrix.detach(), shift.detach()
