# SPDX-License-Identifier: Apache-2.0
"""Noise: how strong it is shows in the air, and it is removed by a transform and by likeness."""

from __future__ import annotations

import itertools
import math
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["noise_std", "remove_noise"]

SIDE = 4
"""Of the blocks whose cosine transform is taken, in voxels."""
THRESHOLD = 2.4
"""Standard deviations of the noise below which a coefficient counts as noise."""
REACH = 2
"""Voxels on either side among which like ones are looked for."""
LIKENESS = 0.7
"""Standard deviations of the noise by which like voxels may differ."""
AROUND, AIR, STRIDE = 5, 0.2, 7
"""Voxels of the cubes whose means tell air, share of the volume that is air at least, and every how many one counts."""
WHITE = 0.85
"""Least mean square of the difference of neighbours in the air, as a share of what it is where they are independent."""
MARGIN = 1.2
"""So many times as bright as there is air, too."""
RAYLEIGH, TOLERANCE = 0.5227, 0.08
"""Standard deviation of Rayleigh's distribution as a share of its mean, and how far off it may be."""
LARGEST = 30.0
"""Signal, in standard deviations, from which its square is that of the mean less that of the noise."""


def noise_std(volume: Tensor) -> float:
    """Standard deviation of the noise of a magnitude image, which its air shows.

    Args:
        volume: shape ``(H, W, D)``, nothing 0.

    Returns:
        In the unit of the volume; 0 where there is no air, or none as noise makes it: where it was set to 0, holds
        ghosts, or was interpolated.

    References:
        Edelstein et al., Signal, noise, and contrast in nuclear magnetic resonance imaging, J. Comput. Assist. Tomogr.
        1983: noise in the air has Rayleigh's distribution.
    """
    around = F.avg_pool3d(volume[None, None], AROUND, 1, AROUND // 2, count_include_pad=False)[0, 0]
    some = around.flatten()[::STRIDE]
    darkest = some.kthvalue(max(1, int(AIR * len(some)))).values
    air = volume[around <= MARGIN * volume[around <= darkest].mean()]
    mean, spread = float(air.mean()), float(air.std())
    if not abs(spread - RAYLEIGH * mean) < TOLERANCE * mean or _smooth(volume, around <= MARGIN * mean, spread):
        return 0.0
    return mean / math.sqrt(math.pi / 2)


def _smooth(volume: Tensor, air: Tensor, spread: float) -> bool:
    """Whether neighbours in the air are alike, as where noise was interpolated: then it is no longer white."""
    for axis in range(3):
        count = volume.shape[axis] - 1
        both = air.narrow(axis, 0, count) & air.narrow(axis, 1, count)
        difference = (volume.narrow(axis, 0, count) - volume.narrow(axis, 1, count))[both]
        if not float(difference.square().mean()) > 2 * WHITE * spread**2:
            return True
    return False


def remove_noise(volume: Tensor, std: float) -> Tensor:
    r"""Remove Rician noise from a volume.

    First, the cosine transforms of all blocks of 4 x 4 x 4 voxels are thresholded; then they are weighted as the result
    suggests (Wiener's filter); all estimates of a voxel are averaged. With that as a guide, the squares of like voxels
    nearby are averaged. Of either result the shift of the mean is undone that noise brings about in a magnitude image,
    and their mean is taken: they err in different ways.

    Args:
        volume: shape ``(H, W, D)``, at least 4 voxels along each axis.
        std: standard deviation of the noise in the complex image, > 0, in the unit of the volume.

    Returns:
        Shape of ``volume``, >= 0.

    References:
        Manjon et al., New methods for MRI denoising based on sparseness and self-similarity, Med. Image Anal. 16, 2012
        (doi:10.1016/j.media.2011.04.003), from which steps and likeness are taken. Koay and Basser, Analytically exact
        correction scheme for signal extraction from noisy magnitude MR signals, J. Magn. Reson. 179, 2006.
    """
    rough = _filtered(volume, std)
    smooth = _unbiased(_filtered(volume, std, rough), std)
    return (smooth + _of_like_voxels(volume, smooth, std)) / 2


@cache
def _cosines() -> Tensor:
    """Cosine transform of a block: an orthogonal matrix, ``(64, 64)``, of which the first row is the mean."""
    k = torch.arange(SIDE, dtype=torch.float64)
    rows = torch.cos(math.pi * (k[None] + 0.5) * k[:, None] / SIDE) * math.sqrt(2 / SIDE)
    rows[0] /= math.sqrt(2)
    return torch.kron(rows, torch.kron(rows, rows)).float()


def _filtered(volume: Tensor, std: float, guide: Tensor | None = None) -> Tensor:
    """Threshold the blocks of a volume, or weight them by those of a guide."""
    margin = SIDE - 1
    padded = [
        F.pad(one[None, None], 6 * (margin,), mode="replicate")[0, 0] for one in (volume, guide) if one is not None
    ]
    total, weights = torch.zeros_like(padded[0]), torch.zeros_like(padded[0])
    cosines = _cosines().to(volume)
    shape = [1, *(size - margin for size in total.shape[1:])]
    for row in range(len(total) - margin):  # what fits into the caches: four times as fast as all at once
        values, *guides = (cosines @ _blocks(one[row : row + SIDE]).flatten(1) for one in padded)
        if guides:
            power = guides[0].square_()
            share = power.div_(power + std**2)
        else:
            share = (values.abs() > THRESHOLD * std).to(values)
        share[0] = 1
        weight = 1 / share.square().sum(dim=0)
        estimates = (cosines.T @ values.mul_(share)).mul_(weight).view(SIDE**3, *shape)
        for estimate, offset in zip(estimates, itertools.product(range(SIDE), repeat=3), strict=True):
            place = tuple(slice(o, o + n) for o, n in zip((row + offset[0], *offset[1:]), shape, strict=True))
            total[place] += estimate
            weights[place] += weight.view(shape)
    inner = tuple(slice(margin, -margin) for _ in range(3))
    return (total / weights)[inner]


def _blocks(part: Tensor) -> Tensor:
    """Voxels of all blocks, ``(64, blocks along each axis)``."""
    sizes = [size - SIDE + 1 for size in part.shape]
    offsets = itertools.product(range(SIDE), repeat=3)
    return torch.stack([part[tuple(slice(o, o + n) for o, n in zip(offset, sizes, strict=True))] for offset in offsets])


def _of_like_voxels(volume: Tensor, guide: Tensor, std: float) -> Tensor:
    """Root of the mean square of like voxels, less what noise adds to it."""
    mean = F.avg_pool3d(guide[None, None], 3, 1, 1, count_include_pad=False)[0, 0]
    square = volume.square()
    total, weights = square.clone(), torch.ones_like(square)
    scale = -1 / (4 * (LIKENESS * std) ** 2)
    for offset in itertools.product(range(-REACH, REACH + 1), repeat=3):
        if offset <= (0, 0, 0):
            continue  # each pair once
        here, there = (
            tuple(slice(max(0, sign * o), n + min(0, sign * o)) for o, n in zip(offset, volume.shape, strict=True))
            for sign in (1, -1)
        )
        apart = (guide[here] - guide[there]).square_() + 3 * (mean[here] - mean[there]).square_()
        weight = apart.mul_(scale).exp_()
        total[here].addcmul_(weight, square[there])
        total[there].addcmul_(weight, square[here])
        weights[here] += weight
        weights[there] += weight
    return (total / weights - 2 * std**2).clamp_(min=0).sqrt_()


def _unbiased(mean: Tensor, std: float) -> Tensor:
    """The signal whose magnitude under noise has a given mean."""
    signal, means = _means()
    ratio = (mean / std).double().cpu().numpy()
    found = torch.from_numpy(np.interp(ratio, means, signal)).to(mean) * std
    return torch.where(mean > LARGEST * std, (mean.square() - std**2).clamp(min=0).sqrt(), found)


@cache
def _means() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Signals and the means of their magnitudes under noise of standard deviation 1: those of Rice's distribution.

    The modified Bessel functions in it are integrals over half a circle, which the midpoint rule gives exactly.
    """
    signal = np.linspace(0, LARGEST, 3001)
    half = (signal[:, None] / 2) ** 2
    cosines = np.cos(math.pi * (np.arange(256) + 0.5) / 256)
    weights = np.exp(half * (cosines - 1))
    means = math.sqrt(math.pi / 2) * (weights * (1 + 2 * half * (1 + cosines))).mean(axis=1)
    return signal, means
