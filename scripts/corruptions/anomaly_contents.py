# SPDX-License-Identifier: Apache-2.0
"""What a synthetic anomaly does to the voxels in it: pure functions on boxes cut from heads, ``(M, h, w, d)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    "CONTENTS",
    "DEFORMATIONS",
    "Strengths",
    "box_index",
    "box_mean",
    "box_smooth",
    "contents",
    "deform",
    "unit_texture",
]

CONTENTS = ("shift", "gain", "texture", "replaced", "equal", "blur", "foreign", "swelling", "shrinking")
"""Contrast added; contrast multiplied; texture added; texture in place of the tissue with another mean; with the same
mean; lost detail; tissue of elsewhere; tissue displaced away from a centre; towards it."""
DEFORMATIONS = ("swelling", "shrinking")


class Strengths(NamedTuple):
    """How strong M anomalies are, each field of shape ``(M,)``.

    Attributes:
        contrast: change of intensity, negative for dark ones; relative for ``gain``.
        texture: standard deviation of the texture.
        blur: standard deviation of the Gaussian of a blur in millimetres.
        share: share of the foreign tissue in the mixture.
        matched: whether the foreign tissue gets the mean of its new place, 0 or 1.
        pull: largest displacement, as a share of the distance from the centre, below 1.
    """

    contrast: Tensor
    texture: Tensor
    blur: Tensor
    share: Tensor
    matched: Tensor
    pull: Tensor


def contents(
    boxes: Tensor,
    weight: Tensor,
    profile: Tensor,
    offsets: Sequence[Tensor],
    patches: Tensor,
    texture: Tensor,
    strengths: Strengths,
    mm: Sequence[float],
) -> Tensor:
    """Fill anomalies with each of the contents.

    Args:
        boxes: what is there, shape ``(M, h, w, d)``.
        weight: of the anomalies in [0, 1], same shape.
        profile: ``weight`` with the sign of the contrast, same shape.
        offsets: millimetres from the centre along each axis, three tensors that broadcast to ``(M, h, w, d)``.
        patches: tissue of elsewhere, same shape as ``boxes``.
        texture: noise of mean 0 and standard deviation 1, same shape.
        strengths: of the anomalies.
        mm: voxel size along each axis.

    Returns:
        The boxes with anomalies, shape ``(contents, M, h, w, d)`` in the order of :data:`CONTENTS`, >= 0.
    """
    contrast, grain, blur, share, matched, pull = (values[:, None, None, None] for values in strengths)
    level = box_mean(boxes, weight)
    smooth = box_smooth(boxes, blur[:, 0, 0] / torch.tensor(mm, device=boxes.device), mm)
    tissue = patches + matched * (level - box_mean(patches, weight))
    filled = [
        boxes + contrast * profile,
        boxes * (1 + contrast * profile),
        boxes + grain * weight * texture,
        boxes + weight * (level + contrast + 0.5 * grain * texture - boxes),
        boxes + weight * (level + grain * texture - boxes),
        boxes + weight * (smooth - boxes),
        boxes + share * weight * (tissue - boxes),
        deform(boxes, offsets, -pull * weight, mm),
        deform(boxes, offsets, pull * weight, mm),
    ]
    return torch.stack(filled).clamp(min=0)


def box_index(start: Tensor, sides: Sequence[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Index of one box in each volume: ``volumes[box_index(start, sides)]`` is of shape ``(B, h, w, d)``.

    Args:
        start: first voxel of each box, integers of shape ``(B, 3)``.
        sides: voxels along the sides of a box.

    Returns:
        For volumes of shape ``(B, H, W, D)``.
    """
    rows = torch.arange(len(start), device=start.device)
    x, y, z = (start[:, axis, None] + torch.arange(side, device=start.device) for axis, side in enumerate(sides))
    return rows[:, None, None, None], x[:, :, None, None], y[:, None, :, None], z[:, None, None, :]


def box_mean(boxes: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean of each box, shape ``(M, 1, 1, 1)``; 0 where all weights are."""
    total, mass = boxes * weight, weight
    for axis in (3, 2, 1):  # in this order in any batch: a sum over all axes may be split between threads
        total, mass = total.sum(dim=axis, keepdim=True), mass.sum(dim=axis, keepdim=True)
    return total / mass.clamp(min=1e-6)


SMOOTH_MM = 5.0
"""Largest standard deviation of a Gaussian that boxes are convolved with."""


def box_smooth(boxes: Tensor, sigma: Tensor, mm: Sequence[float]) -> Tensor:
    """Convolve each box with a Gaussian of its own width.

    Args:
        boxes: shape ``(M, h, w, d)``; the border is repeated outwards.
        sigma: standard deviation along each axis in voxels, of 5 mm at most, shape ``(M, 3)``; 0 changes nothing.
        mm: voxel size along each axis.

    Returns:
        The smooth boxes, same shape.
    """
    for axis in range(3):
        size = boxes.shape[axis + 1]
        if size == 1:
            continue
        reach = round(2.5 * SMOOTH_MM / mm[axis])
        taps = torch.arange(reach + 1, device=boxes.device)
        kernel = torch.exp(-0.5 * (taps / sigma[:, axis, None].clamp(min=1e-2)).square())
        kernel = kernel / (2 * kernel.sum(dim=1, keepdim=True) - 1)
        weights = kernel[:, :, None, None, None]
        pad = [0, 0] * (2 - axis) + [reach, reach] + [0, 0] * axis
        padded = F.pad(boxes[:, None], pad, mode="replicate")[:, 0]
        boxes = weights[:, 0] * boxes
        for tap in range(1, reach + 1):
            both = padded.narrow(axis + 1, reach - tap, size) + padded.narrow(axis + 1, reach + tap, size)
            boxes = boxes + weights[:, tap] * both
    return boxes


def unit_texture(normal: Tensor, sigma: Tensor, mm: Sequence[float]) -> Tensor:
    """Noise of a correlation length, of mean 0 and standard deviation 1 in each box.

    Args:
        normal: independent standard normal numbers, shape ``(M, h, w, d)``.
        sigma: standard deviation of the Gaussian that it is convolved with, see :func:`box_smooth`.
        mm: voxel size along each axis.

    Returns:
        Shape of ``normal``.
    """
    texture = box_smooth(normal, sigma, mm)
    everywhere = torch.ones_like(texture)
    texture = texture - box_mean(texture, everywhere)
    return texture / box_mean(texture.square(), everywhere).sqrt().clamp(min=1e-6)


def deform(boxes: Tensor, offsets: Sequence[Tensor], pull: Tensor, mm: Sequence[float]) -> Tensor:
    """Move the content of each box towards a centre or away from it.

    Between voxels the value is that of trilinear interpolation less half the second differences that it smooths away,
    which is that of a cubic halfway along an axis: otherwise the blur would give the anomaly away.

    Args:
        boxes: shape ``(M, h, w, d)``; the border is repeated outwards.
        offsets: millimetres from the centre along each axis, three tensors that broadcast to ``(M, h, w, d)``.
        pull: share of its offset by which the source of a voxel lies further out, above -1, shape ``(M, h, w, d)``:
            positive shrinks what is there, negative swells it.
        mm: voxel size along each axis.

    Returns:
        The deformed boxes, same shape.
    """
    sides = boxes.shape[1:]
    sources = []
    for axis, (offset, side) in enumerate(zip(offsets, sides, strict=True)):
        index = torch.arange(side, device=boxes.device).view([-1 if a == axis else 1 for a in range(3)])
        sources.append((index + pull * offset / mm[axis]).clamp(0, side - 1))
    grid = [2 * source / max(side - 1, 1) - 1 for source, side in zip(sources, sides, strict=True)]
    channels = torch.stack([boxes, *(_second_difference(boxes, axis + 1) for axis in range(3))], dim=1)
    values = F.grid_sample(channels, torch.stack(grid[::-1], dim=-1), padding_mode="border", align_corners=True)
    moved = values[:, 0]
    for axis, source in enumerate(sources):
        part = source - source.floor()
        moved = moved - 0.5 * part * (1 - part) * values[:, axis + 1]
    return moved


def _second_difference(boxes: Tensor, axis: int) -> Tensor:
    size = boxes.shape[axis]
    pad = [0, 0] * (3 - axis) + [1, 1] + [0, 0] * (axis - 1)
    padded = F.pad(boxes[:, None], pad, mode="replicate")[:, 0]
    return padded.narrow(axis, 0, size) + padded.narrow(axis, 2, size) - 2 * boxes
