# SPDX-License-Identifier: Apache-2.0
"""Noise: how strong it is shows in the air, and it is removed by a transform and by likeness."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["averaged", "noise_level", "noise_std", "remove_noise", "thresholded", "weighted"]

SIDE = 4
"""Of the blocks whose cosine transform is taken, in voxels."""
THRESHOLD, STEEP = 2.4, 10.0
"""Standard deviations of the noise below which a coefficient counts as noise, and how fast its share rises there: in a
tenth of one. With a jump, rounding would decide of some voxels."""
REACH = 2
"""Voxels on either side among which like ones are looked for."""
LIKENESS = 0.7
"""Standard deviations of the noise by which like voxels may differ."""
AROUND, AIR, STRIDE = 5, 5, 7
"""Voxels of the cubes whose means tell air, of how many voxels one is air at least, and of how many one counts."""
WHITE = 0.85
"""Least mean square of the difference of neighbours in the air, as a share of what it is where they are independent."""
MARGIN = 1.2
"""So many times as bright as there is air, too."""
RAYLEIGH, TOLERANCE = 0.5227, 0.08
"""Standard deviation of Rayleigh's distribution as a share of its mean, and how far off it may be."""
LARGEST, ENTRIES = 30.0, 2001
"""Mean, in standard deviations, from which the signal's square is its square less that of the noise, and how many
signals are tabulated below it."""
DARKEST = math.sqrt(math.pi / 2)
"""Mean of Rayleigh's distribution: that of the magnitude of noise alone, in standard deviations."""
FAR = 1e4
"""Difference, in standard deviations, of which no voxels are alike."""


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
    return float(noise_level(volume))


def noise_level(volume: Tensor) -> Tensor:
    """What :func:`noise_std` returns, of shape ``()``; without a branch, so that it can be traced."""
    around = F.avg_pool3d(volume[None, None], AROUND, 1, AROUND // 2, count_include_pad=False)[0, 0]
    some = around.flatten()[::STRIDE]
    dark = (around <= some.sort().values[some.shape[0] // AIR - 1]).to(volume)
    air = (around <= MARGIN * _mean(volume, dark)).to(volume)
    mean = _mean(volume, air)
    spread = _mean((volume - mean).square(), air).sqrt()
    found = (spread - RAYLEIGH * mean).abs() < TOLERANCE * mean
    air = (around <= MARGIN * mean).to(volume)
    for axis in range(3):  # where noise was interpolated, neighbours are alike: it is no longer white
        count = volume.shape[axis] - 1
        both = air.narrow(axis, 0, count) * air.narrow(axis, 1, count)
        square = (volume.narrow(axis, 0, count) - volume.narrow(axis, 1, count)).square()
        found = found & (_mean(square, both) > 2 * WHITE * spread.square())
    return torch.where(found, mean / DARKEST, 0.0)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean; summed axis by axis, as in WebAssembly a long sum of float32 loses the fifth digit."""
    total, weight = (one.sum(dim=2).sum(dim=1).sum(dim=0) for one in (values * weights, weights))
    return total / weight


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
def _cosines_along() -> Tensor:
    """Cosine transform along an axis of a block: an orthogonal matrix, ``(4, 4)``, whose first row is the mean."""
    k = np.arange(SIDE)
    rows = np.cos(math.pi * (k[None] + 0.5) * k[:, None] / SIDE) * math.sqrt(2 / SIDE)
    rows[0] /= math.sqrt(2)
    return torch.from_numpy(rows.astype(np.float32))


@cache
def _cosines() -> Tensor:
    """That of a block, ``(64, 64)``."""
    rows = _cosines_along().double()
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
            share = _kept(values, std)
        share[0] = 1
        weight = 1 / share.square().sum(dim=0)
        estimates = (cosines.T @ values.mul_(share)).mul_(weight).view(SIDE**3, *shape)
        for estimate, offset in zip(estimates, itertools.product(range(SIDE), repeat=3), strict=True):
            place = tuple(slice(o, o + n) for o, n in zip((row + offset[0], *offset[1:]), shape, strict=True))
            total[place] += estimate
            weights[place] += weight.view(shape)
    inner = tuple(slice(margin, -margin) for _ in range(3))
    return (total / weights)[inner]


def _kept(values: Tensor, std: float) -> Tensor:
    """Share of coefficients that is kept: 0 of what may be noise, 1 of the others."""
    return (values.abs() * (STEEP / std) + (0.5 - STEEP * THRESHOLD)).clamp_(0, 1)


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
    """The signal whose magnitude under noise has a given mean; below it, the table is nearly a straight line."""
    table, ratio = _signals().to(mean), mean / std
    place = (ratio - DARKEST).clamp(0, LARGEST - DARKEST).sqrt() * ((ENTRIES - 1) / math.sqrt(LARGEST - DARKEST))
    before = place.long().clamp(max=ENTRIES - 2)
    found = torch.lerp(table[before], table[before + 1], place - before)
    return torch.where(ratio > LARGEST, (ratio.square() - 1).clamp(min=0).sqrt(), found) * std


@cache
def _signals() -> Tensor:
    """Signals in noise of standard deviation 1, by the root of what the mean is above that of noise, ``(ENTRIES,)``.

    The modified Bessel functions in the mean of Rice's distribution are integrals over half a circle, which the
    midpoint rule gives exactly.
    """
    signal = np.linspace(0, LARGEST, 3001)
    half = (signal[:, None] / 2) ** 2
    cosines = np.cos(math.pi * (np.arange(256) + 0.5) / 256)
    means = DARKEST * (np.exp(half * (cosines - 1)) * (1 + 2 * half * (1 + cosines))).mean(axis=1)
    roots = np.sqrt((means - DARKEST).clip(0))
    found = np.interp(np.linspace(0, math.sqrt(LARGEST - DARKEST), ENTRIES), roots, signal)
    return torch.from_numpy(found.astype(np.float32))


def thresholded(volume: Tensor) -> Tensor:
    """First of the three steps of :func:`remove_noise` as they are exported: by convolutions, of any size.

    Args:
        volume: shape ``(H, W, D)``, in standard deviations of the noise, as is what all three return. A row of it
            depends on three rows on either side.
    """
    values = _transformed(volume)
    return _averaged_back(values, _kept(values, 1.0))


def weighted(volume: Tensor, guide: Tensor) -> Tensor:
    """Second step; ``guide`` is the result of the first."""
    power = _transformed(guide).square()
    return _unbiased(_averaged_back(_transformed(volume), power / (power + 1)), 1.0)


def averaged(volume: Tensor, guide: Tensor) -> Tensor:
    """Third step; ``guide`` is the result of the second. Voxels are looked for along the volume without its axes."""
    scale = 1 / (2 * LIKENESS)
    mean = F.avg_pool3d(guide[None, None], 3, 1, 1, count_include_pad=False)[0, 0] * (math.sqrt(3) * scale)
    height, width, depth = (size + 2 * REACH for size in volume.shape)
    around = [
        F.pad(one[None, None], 6 * (REACH,), value=value).flatten()
        for one, value in ((mean, -FAR), (guide * scale, -FAR), (volume.square(), 0.0))
    ]
    steps = (width * depth, depth, 1)
    reach = REACH * sum(steps)
    here = [one[reach:-reach] for one in around]
    total, weights = torch.zeros_like(here[2]), torch.zeros_like(here[2])
    for there in zip(*(_shifted(one, steps) for one in around), strict=True):
        apart = [one - other for one, other in zip(here[:2], there, strict=False)]
        weight = (-(apart[0] * apart[0] + apart[1] * apart[1])).exp()
        total, weights = total + weight * there[2], weights + weight
    like = F.pad((total / weights - 2).clamp(min=0).sqrt(), (reach, reach)).view(height, width, depth)
    return (guide + like[REACH:-REACH, REACH:-REACH, REACH:-REACH]) / 2


def _shifted(values: Tensor, steps: Sequence[int]) -> Iterator[Tensor]:
    """Values at each offset, of all places that are far enough from the ends for all of them."""
    if not steps:
        yield values
        return
    for start in range(2 * REACH + 1):
        stop = None if start == 2 * REACH else (start - 2 * REACH) * steps[0]
        yield from _shifted(values[start * steps[0] : stop], steps[1:])


def _transformed(volume: Tensor) -> Tensor:
    """Cosine transforms of all blocks, also of those that reach beyond the volume, ``(16, 4, H + 3, W + 3, D + 3)``."""
    rows = _cosines_along().to(volume)
    padded = F.pad(volume[None, None], 6 * (SIDE - 1,), mode="replicate")
    some = F.conv3d(padded, rows.view(SIDE, 1, SIDE, 1, 1)).transpose(0, 1)  # (4, 1, ...)
    some = F.conv3d(some, rows.view(SIDE, 1, 1, SIDE, 1)).flatten(0, 1)[:, None]  # (16, 1, ...)
    return F.conv3d(some, rows.view(SIDE, 1, 1, 1, SIDE))


def _averaged_back(values: Tensor, share: Tensor) -> Tensor:
    """The volume of which a share of the cosine transforms is kept, all of the blocks' means; see :func:`_filtered`."""
    share = torch.maximum(share, (torch.arange(SIDE**3) == 0).view(-1, SIDE, 1, 1, 1).to(values))
    weight = 1 / share.square().sum(dim=(0, 1))
    some, rows = values * share * weight, _cosines_along().to(values)
    some = F.conv_transpose3d(some, rows.view(SIDE, 1, 1, 1, SIDE))  # (16, 1, ...)
    some = F.conv_transpose3d(some.view(SIDE, SIDE, *some.shape[2:]), rows.view(SIDE, 1, 1, SIDE, 1))  # (4, 1, ...)
    total, weights = F.conv_transpose3d(some.transpose(0, 1), rows.view(SIDE, 1, SIDE, 1, 1)), weight[None, None]
    for size in ((SIDE, 1, 1), (1, SIDE, 1), (1, 1, SIDE)):
        weights = F.conv_transpose3d(weights, torch.ones(1, 1, *size).to(values))
    margin = slice(SIDE - 1, 1 - SIDE)
    return (total / weights)[0, 0, margin, margin, margin]
