# SPDX-License-Identifier: Apache-2.0
"""Ghosts undone: alternate lines of k-space brought to the same gain."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["equalise_lines", "line_gains"]

LEAST_GAIN = 0.06
"""Absolute logarithm of the gain from which lines are equalised; undamaged heads stay below, see ``docs/damage.md``."""
SHORTEST = 24
"""Voxels along an axis below which its few lines tell nothing."""
CENTRES = (0, 2, 4)
"""Lines, counted from the centre of k-space, up to which both gains may have been equal."""
AT_ONCE = 64
"""Rows or columns whose spectra are held at a time."""
AIR, UNEVEN = 0.25, 3.0
"""Share of the voxels that are surely air, where a wrong centre leaves a ghost, and how many times as uneven as at best
this may become: where there is noise, a ghost can darken the air."""


def line_gains(volumes: Tensor) -> Tensor:
    r"""Logarithm of the gain of the odd lines of k-space against the even ones, along each axis.

    The energy :math:`E_k` of a line falls smoothly with its frequency, so that :math:`\log E_k` lies between those of
    its neighbours, unless every second line has another gain.

    Args:
        volumes: magnitude images, shape ``(B, 1, H, W, D)``.

    Returns:
        Shape ``(B, 3)``; 0 where all lines are alike.
    """
    gains = []
    for axis in (2, 3, 4):
        size = volumes.shape[axis]
        if size < SHORTEST:
            gains.append(torch.zeros(len(volumes), device=volumes.device))
            continue
        others = [a for a in (1, 2, 3, 4) if a != axis]
        energy = torch.zeros(len(volumes), size // 2 + 1, device=volumes.device)
        for some in volumes.split(AT_ONCE, dim=3 if axis == 2 else 2):
            spectrum = torch.view_as_real(torch.fft.rfft(some, dim=axis))
            energy += spectrum.square().sum(dim=[*others, 5])
        level = energy.clamp(min=1e-30).log()
        bend = level[:, 1:-1] - 0.5 * (level[:, :-2] + level[:, 2:])  # at line 1, 2, ...
        bend = bend[:, 2 : size // 4]  # from line 3, where it falls smoothly, to where noise begins
        gains.append((bend[:, 0::2].median(dim=1).values - bend[:, 1::2].median(dim=1).values) / 4)
    return torch.stack(gains, dim=1)


def equalise_lines(volumes: Tensor) -> tuple[Tensor, Tensor]:
    """Raise every second line of k-space to the gain of its neighbours, where it has another.

    The axis is the one along which gains differ most, the lines those that are weaker. How many lines around the centre
    had the right gain all the same is what leaves the air darkest.

    Args:
        volumes: magnitude images, shape ``(B, 1, H, W, D)``.

    Returns:
        The volumes, and the logarithm of the gain that was undone, shape ``(B,)``: 0 where nothing was changed.
    """
    gains = line_gains(volumes)
    largest, axis = gains.abs().max(dim=1)
    wrong = largest > LEAST_GAIN
    log_gain = gains.gather(1, axis[:, None])[:, 0] * wrong
    if not wrong.any():
        return volumes, log_gain
    equal = volumes.clone()
    for number in range(3):
        rows = (wrong & (axis == number)).nonzero()[:, 0]
        if len(rows) > 0:
            equal[rows] = _equalised(volumes[rows].movedim(number + 2, -1), log_gain[rows]).movedim(-1, number + 2)
    return equal, log_gain


def _equalised(volumes: Tensor, log_gain: Tensor) -> Tensor:
    """Lines along the last axis made equal."""
    size = volumes.shape[-1]
    spectrum = torch.fft.rfft(volumes)
    frequency = torch.arange(spectrum.shape[-1], device=volumes.device)
    weak = (frequency % 2 == 1) == (log_gain < 0)[:, None]  # (B, lines)

    def raised(centre: Tensor) -> Tensor:
        weights = torch.where(weak & (frequency > centre[:, None]), log_gain.abs()[:, None].exp(), 1.0)
        return torch.fft.irfft(spectrum * weights[:, None, None, None], n=size)

    centres = torch.tensor(CENTRES, device=volumes.device)[:, None].expand(-1, len(volumes))
    light, uneven = torch.stack([torch.stack(_air(raised(centre))) for centre in centres], dim=1)
    light = torch.where(uneven <= UNEVEN * uneven.amin(dim=0), light, float("inf"))
    return raised(centres.gather(0, light.argmin(dim=0)[None])[0]).abs()


def _air(volumes: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of what is surely air, and its standard deviation without noise, which a ghost of the head makes large."""
    some, smooth = volumes.abs().flatten(1)[:, ::7], F.avg_pool3d(volumes, 5, 3).flatten(1)
    darkest, darkest_smooth = (
        one.kthvalue(max(1, int(AIR * one.shape[1])), dim=1, keepdim=True).values for one in (some, smooth)
    )
    light = torch.where(some <= darkest, some, 0.0).sum(dim=1)
    uneven = torch.stack([one[one <= limit].std() for one, limit in zip(smooth, darkest_smooth, strict=True)])
    return light, uneven
