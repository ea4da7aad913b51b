# SPDX-License-Identifier: Apache-2.0
"""Heads as others have them: turned, mirrored, of another contrast, interpolated. No damage: the target varies too."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..corruptions import Draws
from ..corruptions.parameters import per_image, probability, value_range

__all__ = ["RandVariants"]

KNOTS = 6
"""Intensities, from 0 to 1.25, of which a contrast curve changes each."""


class RandVariants:
    """Vary healthy heads and their brain masks.

    Args:
        flip_prob: probability that a head is mirrored along its last axis, left to right in sagittal slices.
        gamma: range of the exponent of intensities, drawn log-uniformly; air and the 99.5th percentile stay.
        curve_prob: probability of any other contrast: a piecewise linear curve, not always a rising one.
        interpolation_prob: probability that a head is moved by a part of a voxel by linear interpolation, as
            resampled images are.
        degrees: largest angle of a rotation about each axis.
        zoom: range of a magnification, each axis on its own.
        turn_prob: probability that a head is turned and zoomed.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(
        self,
        flip_prob: float = 0.5,
        gamma: Sequence[float] = (0.7, 1.4),
        curve_prob: float = 0.0,
        interpolation_prob: float = 0.1,
        degrees: float = 20.0,
        zoom: Sequence[float] = (0.85, 1.15),
        turn_prob: float = 0.0,
    ) -> None:
        self.flip_prob, self.curve_prob = probability(flip_prob), probability(curve_prob)
        self.interpolation_prob, self.turn_prob = probability(interpolation_prob), probability(turn_prob)
        self.gamma = value_range("gamma", gamma, 1e-3, float("inf"))
        self.degrees = value_range("degrees", [0, degrees], 0.0, 180.0)[1]
        self.zoom = value_range("zoom", zoom, 1e-3, float("inf"))

    def __call__(self, images: Tensor, brain: Tensor | None, draws: Draws) -> tuple[Tensor, Tensor | None]:
        """Vary ``images`` and the boolean ``brain``, both ``(B, 1, H, W, D)``."""
        flipped = per_image(draws.uniform("variants.flip") < self.flip_prob, images)
        images = torch.where(flipped, images.flip(-1), images)
        if brain is not None:
            brain = torch.where(flipped, brain.flip(-1), brain)
        images, brain = self._turned(images, brain, draws)
        images = self._interpolated(images, draws)
        low, high = (math.log(value) for value in self.gamma)
        gamma = per_image(draws.uniform("variants.gamma", low, high).exp(), images)
        images = torch.where(images > 0, images.clamp(min=0) ** gamma, images)
        return self._other_contrast(images, draws), brain

    def _turned(self, images: Tensor, brain: Tensor | None, draws: Draws) -> tuple[Tensor, Tensor | None]:
        rows = (draws.uniform("variants.turn") < self.turn_prob).nonzero()[:, 0]
        if len(rows) == 0:
            return images, brain
        size = torch.tensor(images.shape[2:], dtype=torch.float32, device=images.device)
        angles = (2 * draws.uniform_field("variants.angles", (3,)) - 1)[rows] * math.radians(self.degrees)
        low, high = self.zoom
        zoom = (low + (high - low) * draws.uniform_field("variants.zoom", (3,)))[rows]
        matrix = torch.linalg.matrix_exp(_cross(angles)) / zoom[:, None]
        half = size.flip(0)  # grid_sample counts x, y, z from the last axis, each from -1 to 1
        matrix = matrix * half[None, None] / half[None, :, None]
        moved = 0.2 * (2 * draws.uniform_field("variants.shift", (3, 1)) - 1)[rows]
        grid = F.affine_grid(torch.cat([matrix, moved], dim=2), [len(rows), 1, *images.shape[2:]], align_corners=False)
        images = images.index_copy(0, rows, F.grid_sample(images[rows], grid, align_corners=False))
        if brain is not None:
            turned = F.grid_sample(brain[rows].float(), grid, align_corners=False) > 0.5
            brain = brain.index_copy(0, rows, turned)
        return images, brain

    def _interpolated(self, images: Tensor, draws: Draws) -> Tensor:
        rows = (draws.uniform("variants.interpolation") < self.interpolation_prob).nonzero()[:, 0]
        if len(rows) == 0:
            return images
        parts, some = 0.5 * draws.uniform_field("variants.part", (3,))[rows], images[rows]
        for axis in range(3):
            first, rest = some.narrow(axis + 2, 0, 1), some.narrow(axis + 2, 0, some.shape[axis + 2] - 1)
            some = torch.lerp(some, torch.cat([first, rest], dim=axis + 2), per_image(parts[:, axis], some))
        return images.index_copy(0, rows, some)

    def _other_contrast(self, images: Tensor, draws: Draws) -> Tensor:
        if self.curve_prob == 0:
            return images
        rows = (draws.uniform("variants.curve") < self.curve_prob).nonzero()[:, 0]
        if len(rows) == 0:
            return images
        values = draws.uniform_field("variants.knots", (KNOTS,))[rows]
        values = F.pad(values, (1, 0)) / values.amax(dim=1, keepdim=True)  # air stays 0
        place = images[rows].clamp(0, 1.249) * (KNOTS / 1.25)
        knot = place.floor().long()
        low, high = (values.gather(1, index.flatten(1)).view(place.shape) for index in (knot, knot + 1))
        return images.index_copy(0, rows, low + (high - low) * (place - knot))


def _cross(angles: Tensor) -> Tensor:
    """Generators of rotations, ``(B, 3, 3)``, of which the matrix exponential is the rotation."""
    x, y, z = angles.unbind(dim=1)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, z, zero, -x, -y, x, zero]
    return torch.stack(rows, dim=1).view(-1, 3, 3)
