# SPDX-License-Identifier: Apache-2.0
"""Numbers that tell what was done to a volume: spectrum, differences, zeros and brightness by place."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["STATISTICS", "block_means", "volume_statistics"]

BANDS, ROUGH_BANDS = 24, 6
BLOCKS = 3
TISSUE, AIR = 0.3, 0.08
"""Intensities above and below which a voxel is surely tissue and probably air, 1 = the 99.5th percentile."""
EDGES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2)
SMALL = 1e-3
RARE = 1e-5
STATISTICS = 3 * (BANDS + ROUGH_BANDS + 9) + 5 + BLOCKS**3 + len(EDGES)
"""How many numbers there are."""


def volume_statistics(volumes: Tensor) -> Tensor:
    """Describe volumes.

    Along each axis: the logarithm of the mean power spectrum in bands, and its roughness; the size of second
    differences in tissue, in air, and how it varies from slice to slice; how often a zero stands alone or beside
    tissue. Of the whole: zeros, negative voxels, air, a histogram, and the brightness of tissue in 27 blocks.

    Args:
        volumes: shape ``(B, 1, H, W, D)``, nothing 0, 99.5th percentile 1, at least 16 voxels along each axis.

    Returns:
        Shape ``(B, STATISTICS)``, float32.
    """
    x = volumes[:, 0].float()
    tissue, air = (x > TISSUE).float(), (x.abs() < AIR).float()
    counts = tissue.sum(dim=(1, 2, 3)).clamp(min=1)
    found = [part for axis in (1, 2, 3) for part in _along(x, tissue, air, counts, axis)]
    size = x[0].numel()
    found += [
        torch.log(part + RARE)[:, None]
        for part in (
            _count(x == 0) / size,
            _count(x < 0) / size,
            air.sum(dim=(1, 2, 3)) / size,
            _mean(x.abs(), air),
            (_mean(x, tissue) - TISSUE).clamp(min=0),
        )
    ]
    brightness = block_means((x * tissue)[:, None], BLOCKS) / (block_means(tissue[:, None], BLOCKS) + SMALL)
    found.append((brightness.flatten(1) / _mean(x, tissue).clamp(min=SMALL)[:, None]).clamp(0, 2))
    found += [torch.log(_count(x > edge) / size + RARE)[:, None] for edge in EDGES]
    return torch.cat(found, dim=1)


def _along(x: Tensor, tissue: Tensor, air: Tensor, counts: Tensor, axis: int) -> list[Tensor]:
    """What is told along one axis, each ``(B, n)``."""
    others = tuple({1, 2, 3} - {axis})
    shape = [-1 if number == axis else 1 for number in range(4)]
    power = torch.log(_power(x * _window(x.shape[axis], x.device).view(shape), axis).mean(dim=others)[:, 1:] + 1e-9)
    rough = (power[:, 2:] - power[:, 1:-1]) - (power[:, 1:-1] - power[:, :-2])
    bands = [_bands(power, BANDS), _bands(rough.abs(), ROUGH_BANDS)]
    length = x.shape[axis] - 2
    before, here, after = (x.narrow(axis, start, length) for start in range(3))
    second = (before + after).sub_(here, alpha=2).abs_()
    square, small = second.square(), torch.log(second.add_(SMALL))
    inside, outside = (part.narrow(axis, 1, length) for part in (tissue, air))
    within = inside.sum(dim=others)  # voxels of each slice, (B, length)
    total = (small * inside).sum(dim=others)
    by_slice = total / within.clamp(min=1)
    full = within > 0.3 * within.amax(dim=1, keepdim=True)
    jumps = torch.where(full[:, 1:] & full[:, :-1], (by_slice[:, 1:] - by_slice[:, :-1]).abs(), 0.0)
    zero, left, right = here == 0, before > AIR, after > AIR
    alone = _count(zero & left & right) / counts
    beside = _count(zero & (left ^ right)) / counts
    numbers = (
        total.sum(dim=1) / within.sum(dim=1).clamp(min=1),
        _mean(small, outside),
        torch.log(_mean(square, inside) + SMALL**2) / 2,
        torch.log(_mean(square, outside) + SMALL**2) / 2,
        jumps.mean(dim=1),
        jumps.amax(dim=1),
        by_slice.where(full, by_slice.amax(dim=1, keepdim=True)).amin(dim=1),
        torch.log(alone + RARE),
        torch.log(beside + RARE),
    )
    return [*bands, torch.stack(numbers, dim=1)]


def _count(masks: Tensor) -> Tensor:
    """Voxels of each mask, ``(B,)``; a sum along axes would turn each into an integer of eight bytes first."""
    if torch.onnx.is_in_onnx_export():
        return masks.float().sum(dim=(1, 2, 3))
    return torch.stack([torch.count_nonzero(mask) for mask in masks])


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean, summed axis by axis: a runtime may add a million float32 one by one, and lose digits."""
    return (values * weights).sum(dim=3).sum(dim=2).sum(dim=1) / weights.sum(dim=(1, 2, 3)).clamp(min=1)


def _window(size: int, device: torch.device) -> Tensor:
    """Hann window; ONNX knows none of any length that is symmetric."""
    if not torch.onnx.is_in_onnx_export():
        return torch.hann_window(size, periodic=False, device=device)
    return 0.5 - 0.5 * torch.cos(torch.arange(size) * (2 * torch.pi / (size - 1)))


def _power(x: Tensor, axis: int) -> Tensor:
    """Power spectrum along an axis; an exported graph has matrices in the place of a transform of any length."""
    if not torch.onnx.is_in_onnx_export():
        spectrum = torch.fft.rfft(x, dim=axis)
        return spectrum.real.square() + spectrum.imag.square()
    size = x.shape[axis]
    turns = torch.arange(size // 2 + 1)[:, None] * torch.arange(size) % size
    angles = turns.to(x.dtype) * (2 * torch.pi / size)
    order = [0, *(number for number in (1, 2, 3) if number != axis), axis]
    along = x.permute(order)
    power = (along @ angles.cos().T).square() + (along @ angles.sin().T).square()
    return power.permute([order.index(number) for number in range(4)])


def _bands(x: Tensor, number: int) -> Tensor:
    """Means of ``(B, n)`` in some bands that overlap where ``n`` is no multiple, ``(B, number)``."""
    return x @ _shares(x.shape[1], number).T if torch.onnx.is_in_onnx_export() else F.adaptive_avg_pool1d(x, number)


def block_means(x: Tensor, number: int) -> Tensor:
    """Means of ``(B, C, H, W, D)`` in some blocks along each axis, ``(B, C, number, number, number)``.

    They overlap where a size is no multiple, as those of adaptive pooling.
    """
    if not torch.onnx.is_in_onnx_export():
        return F.adaptive_avg_pool3d(x, number)
    for size in (x.shape[4], x.shape[3], x.shape[2]):  # the last axis is pooled and becomes the first
        x = (x @ _shares(size, number).T).permute(0, 1, 4, 2, 3)
    return x


def _shares(size: int, number: int) -> Tensor:
    """Adaptive pooling as a matrix, ``(number, size)``."""
    band, place = torch.arange(number)[:, None], torch.arange(size)
    inside = (place >= band * size // number) & (place < ((band + 1) * size + number - 1) // number)
    return inside.float() / inside.sum(dim=1, keepdim=True)
