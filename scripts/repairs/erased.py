# SPDX-License-Identifier: Apache-2.0
"""Zeros where a head has tissue: dropped voxels and holes, found and filled smoothly."""

from __future__ import annotations

import numpy as np
import scipy.ndimage as ndi
import torch
from torch import Tensor

from .smooth_fill import fill_smoothly

__all__ = ["fill_erased", "find_erased"]

TISSUE = 0.15
"""Intensity of the rim from which zeros within are no air, 1 = the 99.5th percentile."""
LEAST_SHARE = 1e-3
"""Of the voxels that are not zero; sound heads have some enclosed zeros too, in their sinuses."""
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
    least = LEAST_SHARE * float((~zero).sum())
    between = [_between(zero, tissue, axis) for axis in range(3)]
    if float(torch.stack(between).any(dim=0).sum()) < min(least, SMALLEST**2):
        return nothing
    empty, values = zero.cpu().numpy(), volume.float().cpu().numpy()
    enclosed = _with_bright_rim(ndi.binary_fill_holes(~empty) & empty, values)
    if enclosed.sum() < least:
        enclosed[:] = False
    for axis, candidate in enumerate(between):
        square = [SMALLEST] * 3
        square[axis] = 1
        if float(candidate.sum()) >= SMALLEST**2:
            enclosed |= ndi.binary_opening(candidate.cpu().numpy(), np.ones(square, bool))
    return torch.from_numpy(enclosed).to(volume.device)


def fill_erased(volumes: Tensor) -> tuple[Tensor, Tensor]:
    """Fill what :func:`find_erased` finds by the biharmonic equation.

    Args:
        volumes: shape ``(B, 1, H, W, D)``, background 0, 99.5th percentile 1.

    Returns:
        Filled volumes, and the mask of what was filled, boolean, same shape.
    """
    masks = torch.stack([find_erased(volume[0]) for volume in volumes])[:, None]
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


def _with_bright_rim(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The parts of a mask whose neighbours are tissue on average."""
    cross = ndi.generate_binary_structure(3, 1)
    labels, number = ndi.label(mask, cross)
    if number == 0:
        return mask
    grown = np.where(mask, 0, ndi.grey_dilation(labels, footprint=cross))
    rim = ndi.mean(values, grown, np.arange(1, number + 1))
    return np.concatenate([[False], rim > TISSUE])[labels]
