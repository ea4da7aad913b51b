# SPDX-License-Identifier: Apache-2.0
"""Skull-stripped, defaced, cropped and padded heads: parts of the image set to exactly zero.

These are variants of a head, not damage: nobody wants the face back. Such steps follow all damage, as the programs that
strip, deface and crop follow the scanner, and change the image and its target alike (``background`` of
:class:`~scripts.corruptions.corruption.Corruption`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .draws import Draws
from .holes import box_mask
from .parameters import per_image, probability, sizes_mm, value_range

__all__ = ["RandDeface", "RandFieldOfView", "RandSkullStrip", "depth_in_head", "dilated"]

TISSUE = 0.15
"""Intensity above which a voxel is not air, 1 = the volume's 99.5th percentile."""
CLOSING_MM = 8.0
"""Half the width of the gaps, such as the skull, that are closed in the head."""


def dilated(mask: Tensor, reach: Sequence[int]) -> Tensor:
    """Dilate a mask by a box; the time does not depend on the size of the box.

    Args:
        mask: boolean mask, shape ``(B, 1, *spatial)``.
        reach: growth along each axis in voxels.

    Returns:
        The dilated mask, same shape.
    """
    for axis, (width, size) in enumerate(zip(reach, mask.shape[2:], strict=True)):
        padding = [0, 0] * (mask.ndim - 3 - axis) + [width + 1, width]
        count = F.pad(mask.to(torch.int32), padding).cumsum(dim=axis + 2, dtype=torch.int32)
        mask = count.narrow(axis + 2, 2 * width + 1, size) > count.narrow(axis + 2, 0, size)
    return mask


def depth_in_head(images: Tensor, mm: Sequence[float]) -> Tensor:
    """Distance to the nearest air, or border of the image, along the axes.

    Args:
        images: slices or stacks ``(B, C, H, W)``, whose slices are separate, or volumes ``(B, 1, H, W, D)``.
        mm: voxel size along rows, columns and slices.

    Returns:
        Distance in millimetres, 0 in the air, shape of ``images``.
    """
    flat = images if images.ndim == 5 else images.flatten(0, 1)[:, None]
    closing = [round(CLOSING_MM / mm[axis]) for axis in range(flat.ndim - 2)]
    bright = F.pad(flat > TISSUE, [width for width in reversed(closing) for _ in range(2)])  # air beyond the border
    head = ~dilated(~dilated(bright, closing), closing)
    for axis, (width, size) in enumerate(zip(closing, flat.shape[2:], strict=True)):
        head = head.narrow(axis + 2, width, size)
    depth = torch.full_like(flat, float("inf"))
    for axis, size in enumerate(flat.shape[2:]):
        index = torch.arange(size, device=images.device).view([-1 if a == axis else 1 for a in range(flat.ndim - 2)])
        before = torch.where(head, -1, index).cummax(dim=axis + 2).values
        behind = torch.where(head, -1, size - 1 - index).flip(axis + 2).cummax(dim=axis + 2).values.flip(axis + 2)
        depth = torch.minimum(depth, mm[axis] * torch.minimum(index - before, size - 1 - behind - index))
    return depth.view(images.shape)


class _Background:
    """Base of the steps that keep a part of the image and set the rest to zero.

    Args:
        prob: probability that an image loses a part.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(self, prob: float = 1.0) -> None:
        self.prob = probability(prob)

    def kept(self, images: Tensor, draws: Draws, brain: Tensor | None = None) -> Tensor:
        """Mask of what stays of the images.

        Args:
            images: clean images, shape ``(B, C, *spatial)``.
            draws: draws of the batch.
            brain: mask of the brain if known, shape of ``images``.

        Returns:
            Boolean, shape of ``images``.
        """
        rows = (draws.uniform(f"{type(self).__name__}.prob") < self.prob).nonzero()[:, 0]
        kept = torch.ones_like(images, dtype=torch.bool)
        if len(rows) > 0:
            kept[rows] &= self._part(images[rows], draws[rows], None if brain is None else brain[rows])
        return kept

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Set all but :meth:`kept` to zero."""
        return images.masked_fill(~self.kept(images, draws), 0.0)

    def _part(self, images: Tensor, draws: Draws, brain: Tensor | None) -> Tensor:
        raise NotImplementedError


class RandSkullStrip(_Background):
    """Keep the brain alone or, where no mask of it is given, what lies deeper in the head than a random depth.

    Args:
        depth_mm: range of the depth.
        spacing_mm: voxel size, one number or one each for rows, columns and slices.
        prob: probability that an image is stripped.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(
        self, depth_mm: Sequence[float] = (8.0, 14.0), spacing_mm: float | Sequence[float] = 2.0, prob: float = 1.0
    ) -> None:
        super().__init__(prob)
        self.depth_mm = value_range("depth_mm", depth_mm, 0.0, float("inf"))
        self.mm = sizes_mm(spacing_mm)

    def _part(self, images: Tensor, draws: Draws, brain: Tensor | None) -> Tensor:
        if brain is not None:
            return brain.bool()
        depth = per_image(draws.uniform("skull_strip.depth", *self.depth_mm), images)
        return depth_in_head(images, self.mm) > depth


class RandDeface(_Background):
    """Keep the head behind a plane from the brow to below the chin.

    Args:
        brow: range of the height at which the plane meets the front of the head, from 0 (crown) to 1 (lower end).
        slope: range of the depth to which the plane cuts at the lower end by the height below the brow, both as shares
            of the head's extent.
        inferior: axis and direction (1 with the index, -1 against it) towards the feet. The default is that of sagittal
            slices.
        anterior: axis and direction towards the face.
        prob: probability that an image is defaced.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(
        self,
        brow: Sequence[float] = (0.4, 0.5),
        slope: Sequence[float] = (0.5, 0.8),
        inferior: tuple[int, int] = (0, 1),
        anterior: tuple[int, int] = (1, -1),
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.brow = value_range("brow", brow, 0.0, 1.0)
        self.slope = value_range("slope", slope, 0.0, float("inf"))
        self.inferior, self.anterior = inferior, anterior

    def _part(self, images: Tensor, draws: Draws, brain: Tensor | None) -> Tensor:
        brow = per_image(draws.uniform("deface.brow", *self.brow), images)
        slope = per_image(draws.uniform("deface.slope", *self.slope), images)
        height, depth = (self._share(images, *side) for side in (self.inferior, self.anterior))
        return (1 - depth) >= slope * (height - brow)

    @staticmethod
    def _share(images: Tensor, axis: int, direction: int) -> Tensor:
        """Position along an axis: 0 where the head begins, 1 where it ends in ``direction``."""
        others = [a for a in range(1, images.ndim) if a != axis + 2]
        profile = (images > TISSUE).float().mean(dim=others)  # (B, size)
        there = profile > 0.05 * profile.amax(dim=1, keepdim=True)
        index = torch.arange(images.shape[axis + 2], device=images.device)
        first = torch.where(there, index, len(index) - 1).amin(dim=1, keepdim=True)
        last = torch.where(there, index, 0).amax(dim=1, keepdim=True)
        share = (index - first) / (last - first).clamp(min=1)
        share = share if direction > 0 else 1 - share
        return share.view(len(images), 1, *[-1 if a == axis else 1 for a in range(images.ndim - 2)])


class RandFieldOfView(_Background):
    """Keep a box: a field of view that cuts the head or, with small margins, a padded image.

    Args:
        margin: range of the share of each axis that is lost at each of its ends.
        prob: probability that an image is cropped.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(self, margin: Sequence[float] = (0.0, 0.2), prob: float = 1.0) -> None:
        super().__init__(prob)
        self.margin = value_range("margin", margin, 0.0, 0.45)

    def _part(self, images: Tensor, draws: Draws, brain: Tensor | None) -> Tensor:
        size = torch.tensor(images.shape[2:], device=images.device)
        low, high = self.margin
        margin = low + (high - low) * draws.uniform_field("field_of_view.margin", (2, len(size)))
        voxels = (margin * size).round().long()
        return box_mask(voxels[:, 0], size - voxels[:, 1], images.shape[2:])
