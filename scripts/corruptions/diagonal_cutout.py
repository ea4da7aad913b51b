# SPDX-License-Identifier: Apache-2.0
"""The thesis's blank-out: a square centred on the image's main diagonal."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .draws import Draws
from .holes import box_mask, erase_boxes
from .per_image import probability, value_range

__all__ = ["RandDiagonalCutout"]


class RandDiagonalCutout:
    """``tfa.image.cutout`` as the thesis calls it: one offset for all axes, which is the centre of the square.

    The side is ``2 * (size // 2)``; what leaves the image is cut off. Kept for parity with the thesis, whose text
    promises "any random position"; :class:`~scripts.corruptions.holes.RandHoles` keeps that promise.

    Args:
        size: range of the integer size, upper end excluded (thesis: 10 to 40, so sides of 10 to 38 pixels).
        offset: range of the integer centre, upper end excluded (thesis: 10 to 100).
        prob: probability that an image is damaged.

    Raises:
        ValueError: a number outside its range.

    References:
        The thesis's data loader, lines 86-112; TensorFlow Addons 0.11.2, ``tfa.image.cutout``.
    """

    def __init__(self, size: Sequence[int] = (10, 40), offset: Sequence[int] = (10, 100), prob: float = 0.2) -> None:
        self.size = [int(v) for v in value_range("size", size, 1, float("inf"))]
        self.offset = [int(v) for v in value_range("offset", offset, 0, float("inf"))]
        self.prob = probability(prob)

    def boxes(self, images: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Start and stop of each image's box, ``(B, spatial_dims)``; empty for an image without a hole."""
        half = draws.integers("diagonal_cutout.size", *self.size) // 2
        half = half * (draws.uniform("diagonal_cutout.prob") < self.prob)
        centre = draws.integers("diagonal_cutout.offset", *self.offset)
        axes = images.ndim - 2
        return torch.stack([centre - half] * axes, dim=1), torch.stack([centre + half] * axes, dim=1)

    def mask(self, images: Tensor, draws: Draws) -> Tensor:
        """Where the holes of these images are, boolean of shape ``(B, 1, *spatial)``."""
        return box_mask(*self.boxes(images, draws), images.shape[2:])

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        return erase_boxes(images, *self.boxes(images, draws))
