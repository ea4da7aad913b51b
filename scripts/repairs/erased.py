# SPDX-License-Identifier: Apache-2.0
"""Zeros where a head has tissue: dropped voxels and holes, found and filled smoothly."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..anatomy.connected import connected_to_border
from .smooth_fill import fill_smoothly

__all__ = ["fill_erased", "find_dark", "find_erased"]

TISSUE = 0.15
"""Intensity of the rim from which zeros within are no air, 1 = the 99.5th percentile."""
LEAST_SHARE = 1e-3
"""Of the voxels that are not zero; sound heads have some enclosed zeros too, in their sinuses."""
DARK, BRIGHT = 0.12, 0.3
"""Intensity of a dropped voxel with noise on it at most, and of the tissue around it at least."""
AROUND = 6
"""Of its eight neighbours in the slice, so many must be tissue."""
LONGEST, SMALLEST = 4, 7
"""Slices of a hole in some slices at most, and its side, in voxels, at least."""


def find_erased(volume: Tensor) -> Tensor:
    """Find zeros that air does not explain.

    These are zeros with tissue on all sides, and flat ones, of few slices along an axis with tissue before and behind
    and at least 7 x 7 voxels large. Few zeros on the whole are no damage: then none is returned.

    Args:
        volume: shape ``(H, W, D)``, background 0, 99.5th percentile 1.

    Returns:
        Boolean mask, same shape.
    """
    nothing = torch.zeros_like(volume, dtype=torch.bool)
    zero, tissue = volume == 0, volume > TISSUE
    least = LEAST_SHARE * (zero.numel() - int(torch.count_nonzero(zero)))
    between = [_between(zero, tissue, axis) for axis in range(3)]
    if int(torch.count_nonzero(between[0] | between[1] | between[2])) < min(least, SMALLEST**2):
        return nothing
    enclosed = zero & ~torch.from_numpy(connected_to_border(zero.cpu().numpy())).to(volume.device)
    if int(torch.count_nonzero(enclosed)) >= least:
        enclosed[enclosed.clone()] = _rim(volume.contiguous(), enclosed) > TISSUE
    if int(torch.count_nonzero(enclosed)) < least:
        enclosed[:] = False
    for axis, candidate in enumerate(between):
        if int(torch.count_nonzero(candidate)) >= SMALLEST**2:
            enclosed |= _squares(candidate, axis)
    return enclosed


def find_dark(volume: Tensor) -> Tensor:
    """Find lone dark voxels in tissue: what was dropped, if noise was added afterwards.

    Sound heads have a thousand and more of them, so that this is for volumes that are known to have lost voxels.

    Args:
        volume: see :func:`find_erased`.

    Returns:
        Boolean mask, same shape.
    """
    slices = volume.movedim(-1, 0)
    padded = F.pad(slices[None], (1, 1, 1, 1), mode="replicate")[0]
    height, width = slices.shape[1:]
    near = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    around = torch.stack(near)
    middle = around.median(dim=0).values
    before, after = (torch.cat([slices[:1], slices[:-1]]), torch.cat([slices[1:], slices[-1:]]))
    dark = (slices < DARK) & (middle > BRIGHT) & ((around > middle / 2).sum(dim=0) >= AROUND)
    return (dark & (torch.minimum(before, after) > BRIGHT / 2)).movedim(0, -1)


def fill_erased(volumes: Tensor, dark: bool = False) -> tuple[Tensor, Tensor]:
    """Fill what :func:`find_erased` finds by the biharmonic equation.

    Args:
        volumes: shape ``(B, 1, H, W, D)``, background 0, 99.5th percentile 1.
        dark: whether to fill what :func:`find_dark` finds as well.

    Returns:
        Filled volumes, and the mask of what was filled, boolean, same shape.
    """
    masks = torch.stack([find_erased(volume[0]) for volume in volumes])[:, None]
    if dark:
        masks |= torch.stack([find_dark(volume[0]) for volume in volumes])[:, None]
    if not masks.any():
        return volumes, masks
    filled = volumes.clone()
    for volume, mask in zip(filled, masks, strict=True):
        if mask.any():
            volume[0] = fill_smoothly(volume[0].cpu(), mask[0].cpu()).to(volume)
    return filled, masks


def _between(zero: Tensor, tissue: Tensor, axis: int) -> Tensor:
    """Zeros in runs of up to LONGEST along an axis, with tissue before and behind."""
    zero, tissue = zero.movedim(axis, 0), tissue.movedim(axis, 0)
    found = torch.zeros_like(zero)
    run = torch.ones_like(zero)
    for length in range(1, LONGEST + 1):
        run = run[: len(zero) - length + 1] & zero[length - 1 :]  # zeros of this length from here on
        bounded = run[1:-1] & tissue[: len(zero) - length - 1] & tissue[length + 1 :]
        for place in range(length):
            found[1 + place : 1 + place + len(bounded)] |= bounded
    return found.movedim(0, axis)


def _squares(mask: Tensor, axis: int) -> Tensor:
    """What is left of the slices of a mask where no square of SMALLEST voxels fits: morphological opening."""
    kernel = [1 if one == axis else SMALLEST for one in range(3)]
    padding = [size // 2 for size in kernel]
    eroded = -F.max_pool3d(-mask.float()[None], kernel, 1, padding)
    return F.max_pool3d(eroded, kernel, 1, padding)[0] > 0.5


def _rim(volume: Tensor, mask: Tensor) -> Tensor:
    """Values of the surroundings of a mask that does not touch the faces, carried inwards voxel by voxel, in it."""
    values, known = volume.float().flatten().clone(), ~mask.flatten()
    near = torch.tensor([step * sign for step in volume.stride() for sign in (1, -1)], device=volume.device)
    places = waiting = mask.flatten().nonzero()[:, 0]
    while len(waiting) > 0:
        there = known[waiting[:, None] + near]
        count = there.sum(dim=1)
        total = (values[waiting[:, None] + near] * there).sum(dim=1)
        new = waiting[count > 0]
        values[new] = (total / count)[count > 0]
        known[new] = True
        waiting = waiting[count == 0]
    return values[places]
