# SPDX-License-Identifier: Apache-2.0
"""Spikes undone: single points of k-space that stand out, and the stripes that they draw."""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["find_spikes", "remove_spikes"]

LONE, SHARED = 2.8, 1.8
"""How far the logarithm of a point's magnitude must lie above those around it: in one slice, or in many slices."""
MANY = 0.3
"""Share of the slices that are many."""
NEAREST = 0.08
"""Distance from the centre of k-space, as a share of the highest frequency, within which no spike is looked for."""
MOST = 3
"""Spikes that are looked for in a slice."""
AT_ONCE = 30
"""Slices whose spectra are held at a time."""
FEW_ROUNDS, ROUNDS = 3, 5
"""Improvements of the estimated amplitudes, to choose among waves and to take them out."""


def find_spikes(volumes: Tensor) -> tuple[Tensor, Tensor]:
    """Points of each slice's k-space that stand out of their neighbourhood.

    Args:
        volumes: magnitude images, shape ``(B, 1, H, W, D)``.

    Returns:
        Frequencies along rows and columns in cycles per field of view, shape ``(B, D, spikes, 2)``, and whether there
        is a spike, boolean of shape ``(B, D, spikes)``.
    """
    height, width = volumes.shape[2:4]
    rows = torch.fft.fftfreq(height, 1 / height, device=volumes.device)
    columns = torch.arange(width // 2 + 1, device=volumes.device)
    far = torch.maximum(rows.abs()[:, None] / (height / 2), columns[None] / (width / 2)) >= NEAREST
    parts = [_above(part) * far for part in volumes[:, 0].movedim(-1, 1).split(AT_ONCE, dim=1)]
    above = torch.cat(parts, dim=1)  # (B, D, H, W / 2 + 1)
    many = (above > SHARED).float().mean(dim=1, keepdim=True) > MANY
    found = above * ((above > LONE) | (many & (above > SHARED)))
    frequency = torch.zeros(*found.shape[:2], MOST, 2, device=volumes.device)
    there = torch.zeros(*found.shape[:2], MOST, dtype=torch.bool, device=volumes.device)
    some = (found > 0).flatten(2).any(dim=2)
    if some.any():
        found = found[some]
        peak = found == F.max_pool2d(found, 7, stride=1, padding=3)  # its side lobes are no spikes
        spectrum = torch.fft.rfft2(volumes[:, 0].movedim(-1, 1)[some]).abs()
        values, places = (spectrum * peak * (found > 0)).flatten(1).topk(MOST, dim=1)
        frequency[some] = torch.stack([rows[places // len(columns)], (places % len(columns)).float()], dim=2)
        there[some] = values > 0
    return frequency, there


def _above(slices: Tensor) -> Tensor:
    """How far the logarithm of each point's magnitude lies above those around it, ``(B, D, H, W / 2 + 1)``."""
    spectrum = torch.view_as_real(torch.fft.rfft2(slices))
    level = 0.5 * (spectrum[..., 0].square() + spectrum[..., 1].square()).clamp(min=1e-24).log()
    level = level.flatten(0, 1)
    padded = F.pad(level[:, None], (0, 0, 3, 3), mode="circular")
    padded = F.pad(padded, (3, 3, 0, 0), mode="reflect")[:, 0]
    wide = _box_sum(_box_sum(padded, 7, 1), 7, 2)
    narrow = _box_sum(_box_sum(padded[:, 2:-2, 2:-2], 3, 1), 3, 2)
    return (level - (wide - narrow) / 40).view(spectrum.shape[:-1])


def _box_sum(values: Tensor, side: int, dim: int) -> Tensor:
    """Sums of 3 or 7 neighbours along an axis, fewer additions than a pooling takes."""
    size = values.shape[dim] - side + 1
    two = values.narrow(dim, 0, size + side - 2) + values.narrow(dim, 1, size + side - 2)
    if side == 3:
        return two.narrow(dim, 0, size) + values.narrow(dim, 2, size)
    four = two.narrow(dim, 0, size) + two.narrow(dim, 2, size)
    return four + two.narrow(dim, 4, size) + values.narrow(dim, 6, size)


def remove_spikes(volumes: Tensor) -> tuple[Tensor, Tensor]:
    r"""Take the waves of spikes out of slices.

    A spike adds a complex wave to the real image, of which the magnitude :math:`m = |f + s|` was kept. With the wave
    known, :math:`f = \sqrt{m^2 - (\operatorname{Im} s)^2} - \operatorname{Re} s`. Its amplitude is what leaves nothing
    of it in k-space.

    Args:
        volumes: magnitude images, shape ``(B, 1, H, W, D)``.

    Returns:
        The volumes, and the share of the slices that had spikes, shape ``(B,)``: 0 where nothing was changed.
    """
    frequency, there = find_spikes(volumes)
    share = there.any(dim=2).float().mean(dim=1)
    slices = volumes[:, 0].movedim(-1, 1)  # (B, D, H, W)
    chosen = there.any(dim=2)
    if not chosen.any():
        return volumes, share
    images, waves = slices[chosen], frequency[chosen]
    clean = _without_waves(images, waves, there[chosen])
    slices = slices.clone()
    slices[chosen] = clean
    return slices.movedim(1, -1)[:, None], share


def _without_waves(images: Tensor, frequency: Tensor, there: Tensor) -> Tensor:
    """Images ``(N, H, W)`` without the waves of some of ``frequency``, ``(N, spikes, 2)``: those that leave the least.

    Two waves make a third one at the sum or the difference of their frequencies, which is no spike; and the magnitude
    does not tell a wave from its conjugate, only two waves that turn the same way from two that do not.
    """
    smooth = _box_mean(images, 9)
    bright = smooth > images.mean(dim=(1, 2), keepdim=True)
    least, best = _variation(images, bright), torch.zeros_like(there, dtype=frequency.dtype)
    for number in range(1, MOST + 1):
        rows = there[:, number - 1].nonzero()[:, 0]  # the strongest ones
        if len(rows) == 0:
            break
        for others in itertools.product((1.0, -1.0), repeat=number - 1):
            signs = torch.tensor([1.0, *others, *[0.0] * (MOST - number)], device=images.device)
            clean = _fitted(images[rows], frequency[rows] * signs[:, None], signs != 0, FEW_ROUNDS)
            variation = _variation(clean, bright[rows])
            better = variation < least[rows]
            best[rows] = torch.where(better[:, None], signs, best[rows])
            least[rows] = torch.minimum(variation, least[rows])
    clean = _fitted(images, frequency * best[:, :, None], best != 0, ROUNDS)
    return torch.where((best != 0).any(dim=1)[:, None, None], clean, images)


def _variation(images: Tensor, bright: Tensor) -> Tensor:
    """Total variation within ``bright``: in the air the two values of a pixel cannot be told apart."""
    rows = images.diff(dim=1).abs() * bright[:, 1:]
    columns = images.diff(dim=2).abs() * bright[:, :, 1:]
    return rows.sum(dim=(1, 2)) + columns.sum(dim=(1, 2))


def _fitted(images: Tensor, frequency: Tensor, there: Tensor, rounds: int) -> Tensor:
    """Images without all of the waves that are ``there``."""
    planes = []
    for axis, size in enumerate(images.shape[1:]):
        angle = 2 * math.pi / size * frequency[:, :, axis, None] * torch.arange(size, device=images.device)
        planes.append(torch.polar(torch.ones_like(angle), angle))  # (N, spikes, size)
    rows, columns = planes
    share = 2 * there / images[0].numel()

    def coefficient(image: Tensor) -> Tensor:
        along = image.to(rows.dtype) @ columns.conj().transpose(1, 2)  # (N, H, spikes)
        return (rows.conj() * along.transpose(1, 2)).sum(dim=2) * share

    amplitude = coefficient(images)
    faint = amplitude.abs().sum(dim=1).view(-1, 1, 1)
    weight = _box_mean((_box_mean(images, 9) > 3 * faint).to(images.dtype), 9)  # where the image outshines the waves
    for _ in range(rounds):
        wave = (rows * amplitude[:, :, None]).transpose(1, 2) @ columns  # (N, H, W)
        clean = (images.square() - wave.imag.square()).clamp(min=0).sqrt() - wave.real
        amplitude = amplitude + coefficient(weight * clean) / weight.mean(dim=(1, 2)).clamp(min=0.05)[:, None]
    return _without_wave(images, wave)


def _without_wave(magnitude: Tensor, wave: Tensor) -> Tensor:
    """The image f >= 0 of magnitude ``|f + wave|``; of two possible values the one nearer to the surroundings."""
    root = (magnitude.square() - wave.imag.square()).clamp(min=0).sqrt()
    high, low = root - wave.real, -root - wave.real
    sure = (low <= 0).to(high.dtype)
    expected = _box_mean(high.clamp(min=0) * sure, 7) / _box_mean(sure, 7).clamp(min=1e-6)
    return torch.where((low > 0) & (expected < -wave.real), low, high).clamp(min=0)


def _box_mean(images: Tensor, side: int) -> Tensor:
    """Mean over a square about each pixel of ``(N, H, W)``, zeros outside."""
    rows = F.avg_pool2d(images, (side, 1), stride=1, padding=(side // 2, 0))
    return F.avg_pool2d(rows, (1, side), stride=1, padding=(0, side // 2))
