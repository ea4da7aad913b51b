# SPDX-License-Identifier: Apache-2.0
"""Holes: boxes of an image set to zero, anywhere in it or, as in the thesis, along its main diagonal."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .draws import Draws
from .parameters import probability, value_range

__all__ = ["RandDiagonalCutout", "RandHoles", "box_mask", "erase_boxes"]


def box_mask(start: Tensor, stop: Tensor, spatial_shape: Sequence[int]) -> Tensor:
    """Boolean mask of boxes ``start <= index < stop``.

    Args:
        start: first index along each spatial axis, shape ``(B, spatial_dims)``.
        stop: one past the last index, same shape.
        spatial_shape: size along each axis.

    Returns:
        Shape ``(B, 1, *spatial_shape)``.
    """
    mask = torch.ones(len(start), 1, *spatial_shape, dtype=torch.bool, device=start.device)
    for axis, size in enumerate(spatial_shape):
        index = torch.arange(size, device=start.device)
        inside = (index >= start[:, axis, None]) & (index < stop[:, axis, None])  # (B, size)
        mask &= inside.view(len(start), 1, *[size if a == axis else 1 for a in range(len(spatial_shape))])
    return mask


def erase_boxes(images: Tensor, start: Tensor, stop: Tensor) -> Tensor:
    """Set the box ``start <= index < stop`` of each image to zero.

    Args:
        images: shape ``(B, C, *spatial)``.
        start: shape ``(B, spatial_dims)``.
        stop: shape ``(B, spatial_dims)``; an empty box (``stop <= start``) erases nothing.

    Returns:
        The damaged images, shape of ``images``.
    """
    return images.masked_fill(box_mask(start, stop, images.shape[2:]), 0.0)


class _RandBoxes:
    """Base of the steps that erase a random box of each image."""

    def boxes(self, images: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Start and stop of each image's box, ``(B, spatial_dims)``; empty for an image without a hole."""
        raise NotImplementedError

    def mask(self, images: Tensor, draws: Draws) -> Tensor:
        """Mask of the holes of these images, boolean of shape ``(B, 1, *spatial)``."""
        return box_mask(*self.boxes(images, draws), images.shape[2:])

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        return erase_boxes(images, *self.boxes(images, draws))


class RandHoles(_RandBoxes):
    """One square (cubic) hole at a random position, entirely inside the image.

    Differs from the thesis, which centres its holes on the image's main diagonal
    (:class:`~scripts.corruptions.holes.RandDiagonalCutout`).

    Args:
        size: range of the side in pixels, both ends included.
        prob: probability that an image gets a hole.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(self, size: Sequence[int] = (10, 38), prob: float = 0.2) -> None:
        low, high = value_range("size", size, 1, float("inf"))
        self.size = (int(low), int(high))
        self.prob = probability(prob)

    def boxes(self, images: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Start and stop of each image's box."""
        size = draws.integers("holes.size", self.size[0], self.size[1] + 1).clamp(max=min(images.shape[2:]))
        starts = [draws.integers(f"holes.start{i}", 0, length - size + 1) for i, length in enumerate(images.shape[2:])]
        start = torch.stack(starts, dim=1)
        size = size * (draws.uniform("holes.prob") < self.prob)
        return start, start + size[:, None]


class RandDiagonalCutout(_RandBoxes):
    """``tfa.image.cutout`` as the thesis calls it: the centre of the square has the same offset along all axes.

    The side is ``2 * (size // 2)``; parts outside the image are cut off. Kept for parity with the thesis, whose text
    promises "any random position"; :class:`~scripts.corruptions.holes.RandHoles` keeps that promise.

    Args:
        size: range of the integer size, upper end excluded (thesis: 10 to 40, so sides of 10 to 38 pixels).
        offset: range of the integer centre, upper end excluded (thesis: 10 to 100).
        prob: probability that an image is damaged.

    Raises:
        ValueError: a parameter is out of range.

    References:
        The thesis's data loader, lines 86-112; TensorFlow Addons 0.11.2, ``tfa.image.cutout``.
    """

    def __init__(self, size: Sequence[int] = (10, 40), offset: Sequence[int] = (10, 100), prob: float = 0.2) -> None:
        self.size = [int(v) for v in value_range("size", size, 1, float("inf"))]
        self.offset = [int(v) for v in value_range("offset", offset, 0, float("inf"))]
        self.prob = probability(prob)

    def boxes(self, images: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
        """Start and stop of each image's box."""
        half = draws.integers("diagonal_cutout.size", *self.size) // 2
        half = half * (draws.uniform("diagonal_cutout.prob") < self.prob)
        centre = draws.integers("diagonal_cutout.offset", *self.offset)
        axes = images.ndim - 2
        return torch.stack([centre - half] * axes, dim=1), torch.stack([centre + half] * axes, dim=1)
