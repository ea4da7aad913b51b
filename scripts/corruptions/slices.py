# SPDX-License-Identifier: Apache-2.0
"""Thick slices: less resolution across the plane than within it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from .draws import Draws
from .parameters import as_images, as_volumes, damage_chosen, probability, value_range

__all__ = ["RandThickSlices", "thick_slices"]

AXES = ("slices", "rows", "columns")


def thick_slices(images: Tensor, thickness: Tensor, offset: Tensor) -> Tensor:
    """Average neighbouring slices in groups and bring the averages back to the old grid by linear interpolation.

    An average belongs to the mean position of its slices, so that the head does not move: what is linear across the
    slices stays as it is from the first average to the last. Beyond them the nearest average is repeated, so that the
    mean of the volume stays where all groups are whole.

    Args:
        images: volumes ``(B, C, H, W, D)``, or stacks ``(B, C, H, W)`` of C neighbouring slices.
        thickness: slices in a group, not necessarily a whole number, shape ``(B,)``; 1 changes nothing.
        offset: slices that the first group lacks, below ``thickness``, shape ``(B,)``.

    Returns:
        The damaged images, shape of ``images``.
    """
    volumes = as_volumes(images)
    depth = volumes.shape[-1]
    slices = torch.arange(depth, device=images.device)
    size, offset = thickness[:, None], offset[:, None]
    group = torch.floor((slices + 0.5 + offset) / size)  # (B, D)
    position, mean = _group_means(volumes, group, size, offset)
    other = torch.where(slices < position, group - 1, group + 1).maximum(group[:, :1]).minimum(group[:, -1:])
    member = torch.ceil(other * size - offset - 0.5).clamp(0, depth - 1).long()  # the first slice of the other group
    distance = (position.gather(1, member) - position).abs()
    weight = torch.where(distance > 0, (slices - position).abs() / distance.where(distance > 0, 1.0), 0.0)
    result = torch.lerp(mean, _take(mean, member), weight.to(images.dtype).view(-1, 1, 1, 1, depth))
    return as_images(result, images.ndim - 2)


def _group_means(volumes: Tensor, group: Tensor, size: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """For each slice, the mean position ``(B, D)`` and the mean image of the group that it belongs to."""
    depth = volumes.shape[-1]
    start = (group * size - offset).clamp(min=0)
    stop = ((group + 1) * size - offset).clamp(max=depth)
    position, mean = torch.zeros_like(start), torch.zeros_like(volumes)
    for step in range(math.ceil(float(size.max())) + 1):
        index = start.floor() + step
        share = (torch.minimum(index + 1, stop) - torch.maximum(index, start)).clamp(min=0) / (stop - start)
        position += share * index
        mean += _take(volumes, index.clamp(max=depth - 1).long()) * share.view(-1, 1, 1, 1, depth)
    return position, mean


def _take(volumes: Tensor, index: Tensor) -> Tensor:
    """The slices ``index`` of shape ``(B, D)``, for each volume its own."""
    return volumes.gather(-1, index.view(-1, 1, 1, 1, volumes.shape[-1]).expand_as(volumes))


class RandThickSlices:
    """Thick slices with a thickness and a first slice drawn for each volume.

    Single slices, which have no neighbours, stay as they are. The outer slices of a stack know too few: damage the
    volume, or a piece of it with a margin as wide as ``thickness``, and cut stacks from that.

    Args:
        thickness: range of the number of slices that are averaged, at least 1; it need not be a whole number.
        prob: probability that a volume is damaged.
        axis: what was measured thickly: the "slices", or "rows" or "columns" of images that are cut across them, such
            as sagittal ones of a scan with thick axial slices. Single slices have rows and columns, too.

    Raises:
        ValueError: a parameter is out of range, or the axis is unknown.
    """

    def __init__(
        self,
        thickness: Sequence[float] = (2.0, 4.0),
        prob: float = 1.0,
        axis: Literal["slices", "rows", "columns"] = "slices",
    ) -> None:
        if axis not in AXES:
            raise ValueError(f"axis must be {', '.join(AXES[:-1])} or {AXES[-1]}, got {axis!r}.")
        self.thickness = value_range("thickness", thickness, 1.0, float("inf"))
        self.prob = probability(prob)
        self.axis = axis

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        if self.axis != "slices":
            place = 1 + AXES.index(self.axis)
            volumes = (images if images.ndim == 5 else images[..., None]).movedim(place, -1)
            return self._damaged(volumes, draws).movedim(-1, place).reshape_as(images)
        return self._damaged(images, draws) if as_volumes(images).shape[-1] > 1 else images

    def _damaged(self, images: Tensor, draws: Draws) -> Tensor:
        thickness = draws.uniform("thick_slices.thickness", *self.thickness)
        offset = (draws.uniform("thick_slices.offset") * thickness).floor()
        chosen = draws.uniform("thick_slices.prob") < self.prob
        return damage_chosen(images, chosen, thick_slices, thickness, offset)
