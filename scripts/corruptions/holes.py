# SPDX-License-Identifier: Apache-2.0
"""Holes: boxes anywhere in the image or, as in the thesis, along its main diagonal, and the shapes of lesions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .draws import Draws
from .parameters import as_images, as_volumes, probability, sizes_mm, value_range

__all__ = ["RandDiagonalCutout", "RandHoles", "RandLesionHoles", "blob_mask", "box_mask", "deep_places", "erase_boxes"]

BUMP_VOXELS = 3
"""Distance of the bumps on the surface of a lesion-shaped hole."""


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


def blob_mask(centre: Tensor, radius: Tensor, bumps: Tensor, spatial_shape: Sequence[int], roughness: float) -> Tensor:
    """Boolean mask of bumpy ellipsoids.

    Args:
        centre: of each component in voxels, shape ``(B, components, 3)``.
        radius: along each axis in voxels, same shape; a component of radius 0 is left out.
        bumps: numbers in [-1, 1) on a coarse grid over the image, shape ``(B, 1, h, w, d)``.
        spatial_shape: size along each axis.
        roughness: how far the bumps move the surface, as a share of the radius, below 1.

    Returns:
        Shape ``(B, 1, *spatial_shape)``; the voxel nearest to the centre of each component is always in it.
    """
    size = list(spatial_shape)
    reach = (1 + roughness * F.interpolate(bumps, size=size, mode="trilinear", align_corners=True)).square()
    mask = torch.zeros_like(reach, dtype=torch.bool)
    for number in range(centre.shape[1]):
        squares = []
        for axis, length in enumerate(size):
            distance = torch.arange(length, device=centre.device) - centre[:, number, axis, None].round()
            square = (distance / radius[:, number, axis, None].clamp(min=1e-3)).square()
            squares.append(square.view(len(centre), 1, *[-1 if a == axis else 1 for a in range(3)]))
        there = (radius[:, number] > 0).all(dim=1).view(-1, 1, 1, 1, 1)
        mask |= (squares[0] + squares[1] + squares[2] < reach) & there
    return mask


def deep_places(volumes: Tensor, uniform: Tensor, cell: int = 4, share: float = 0.7) -> Tensor:
    """Choose places deep in the head, where a lesion may be: far from the air, in bright tissue.

    Args:
        volumes: shape ``(B, 1, H, W, D)``.
        uniform: numbers in [0, 1) for each place, shape ``(B, places, 4)``.
        cell: voxels along the sides of the cells that are averaged.
        share: mean intensity of a cell and its neighbours, as a share of the brightest one's, from which on it is deep.

    Returns:
        Positions in voxels, shape ``(B, places, 3)``.
    """
    sides = [min(cell, size) for size in volumes.shape[2:]]
    cells = F.avg_pool3d(volumes, sides)  # (B, 1, h, w, d)
    around = [3 if size >= 3 else 1 for size in cells.shape[2:]]
    cells = F.avg_pool3d(cells, around, stride=1, padding=[width // 2 for width in around])
    deep = cells >= share * cells.amax(dim=(1, 2, 3, 4), keepdim=True)
    count = deep.flatten(1).cumsum(dim=1)
    chosen = (uniform[..., 0] * count[:, -1:]).floor().long() + 1
    index = torch.searchsorted(count, chosen)  # (B, places)
    grid = cells.shape[2:]
    corner = torch.stack([index // (grid[1] * grid[2]), index // grid[2] % grid[1], index % grid[2]], dim=2)
    return (corner + uniform[..., 1:]) * torch.tensor(sides, device=volumes.device) - 0.5


class RandLesionHoles:
    """Some holes in the shape of lesions, through several slices, deep in the head.

    Args:
        diameter_mm: range of the diameter of each component.
        number: smallest and largest number of components, both included.
        roughness: how far bumps move the surface, as a share of the radius, below 1.
        spacing_mm: voxel size, one number or one each for rows, columns and slices.
        prob: probability that an image is damaged.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(
        self,
        diameter_mm: Sequence[float] = (3.0, 20.0),
        number: Sequence[int] = (1, 3),
        roughness: float = 0.3,
        spacing_mm: float | Sequence[float] = 2.0,
        prob: float = 1.0,
    ) -> None:
        self.diameter_mm = value_range("diameter_mm", diameter_mm, 0.0, float("inf"))
        self.number = [int(v) for v in value_range("number", number, 1, float("inf"))]
        self.roughness = value_range("roughness", [0, roughness], 0.0, 0.99)[1]
        self.mm = sizes_mm(spacing_mm)
        self.prob = probability(prob)

    def mask(self, images: Tensor, draws: Draws) -> Tensor:
        """Where the holes of these images are, boolean, shape of ``images``."""
        most = self.number[1]
        chosen = draws.uniform("lesion_holes.prob") < self.prob
        number = draws.integers("lesion_holes.number", self.number[0], most + 1) * chosen
        low, high = self.diameter_mm
        diameter = low + (high - low) * draws.uniform_field("lesion_holes.diameter", (most, 1))
        diameter = diameter * (torch.arange(most, device=images.device)[:, None] < number[:, None, None])
        flattening = 0.6 + 0.4 * draws.uniform_field("lesion_holes.flattening", (most, 3))
        radius = diameter * flattening / 2 / torch.tensor(self.mm, device=images.device)
        volumes = as_volumes(images)
        centre = deep_places(volumes, draws.uniform_field("lesion_holes.place", (most, 4)))
        coarse = [max(2, round(size / BUMP_VOXELS)) for size in volumes.shape[2:]]
        bumps = 2 * draws.uniform_field("lesion_holes.bumps", (1, *coarse)) - 1
        mask = blob_mask(centre, radius, bumps, volumes.shape[2:], self.roughness)
        return as_images(mask, images.ndim - 2)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        return images.masked_fill(self.mask(images, draws), 0.0)
