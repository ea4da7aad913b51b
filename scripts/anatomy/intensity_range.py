# SPDX-License-Identifier: Apache-2.0
"""Where the intensities of a volume begin, where they end, and what is background, whatever its unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .background import border_constants, surroundings, within
from .connected import connected_to_border
from .histogram import extent, ordered_sample
from .zero_level import zero_level

__all__ = ["FINE", "HUGE", "IntensityRange", "hide", "intensity_range"]

FLAT = 5e-4
"""Difference up to which voxels are equal, as a share of the range. The air of a scanner is ten times as rough."""

NOISELESS = 3e-3
"""No scanner gives air of which 95 % lie within this share of the range: somebody set it."""

RIM = 0.05
"""Interpolation of such a volume leaves values within this share at the rim of the air."""

EXACT = 0.999
"""Share of equal voxels in air that was set and not interpolated: 0.997 at most in interpolated ones."""

MOST_AIR = 8
"""Background counts as air for the percentile, up to so many times the other voxels. IXI heads have 1.39 times as many
zeros at most."""

BRIGHTEST = 2.1
"""The percentile is no bright end if it is more than so many medians of the tissue, as where fat, vessels, a near coil
shine. In 166 IXI heads it is 1.56 to 1.78 of them."""

USUAL = 1.65
"""In its place, so many medians are the bright end."""

SHOWN = (3.5, 1.5)
"""What is brighter, in bright ends, would disturb its surroundings: in any head, of which 166 of the IXI data set reach
3.1, and where more shines than the percentile allows for."""

LEAST = -1.0
"""What is darker is no tissue: noise of 15 % reaches -0.7."""

FINE, HUGE = 1e-30, 1e30
"""Intensity ranges that are handled in float32."""

LARGEST = 1e290
"""Intensities whose sum is a number."""

DARK = 0.1
"""Share of the bright end below which voxels may be air."""


@dataclass(frozen=True)
class IntensityRange:
    """Intensities of one volume, in its own unit.

    Attributes:
        low: that of nothing: becomes 0.
        high: the bright end: becomes 1.
        most: the highest that a network should be shown.
        floor: the lowest that a restored voxel may have.
        background: what was set around the head and stays as it is, shape of the volume.
    """

    low: float
    high: float
    most: float
    floor: float
    background: NDArray[np.bool_]


def intensity_range(volume: NDArray[np.floating], upper: float = 99.5) -> IntensityRange:
    """Find the intensities that become 0 and 1. They follow every change of the volume to a x + b, a > 0.

    Args:
        volume: ``(H, W, D)``, slices along the last axis.
        upper: percentile of head and air that is the bright end; in (0, 100].

    Returns:
        Range and background.

    Raises:
        ValueError: voxels inside the head are not finite, or there is no contrast.
    """
    lost = ~np.isfinite(volume)
    sample, share = ordered_sample(volume)
    lowest, highest = _extent(sample)
    constants = border_constants(volume, FLAT * (highest - lowest))
    counts, rest = {}, sample
    for constant in constants:
        equal = constant.matches(rest)
        counts[constant.value] = int(np.count_nonzero(equal))
        rest = rest[~equal]
    if not len(rest):
        raise ValueError("the volume is constant but for a few voxels: there is nothing to restore.")
    low = zero_level(rest, counts)

    outside = np.logical_or.reduce([lost, *(constant.matches(volume) for constant in constants)])
    left_out = lost if list(counts) == [low] else outside
    inside = volume[~left_out] if left_out.any() else volume
    count = min(volume.size, int((1 + MOST_AIR) * np.count_nonzero(~outside)))
    guess = int(2 * (1 - upper / 100) * count * share)
    high = _percentile(inside, count, upper, rest[max(0, len(rest) - 8 - guess)], low)
    high, most = _bright_end(rest, low, high)
    if not np.isfinite([low, high]).all():
        raise ValueError(
            f"the intensities reach from {lowest:g} to {highest:g}: no scale fits, the voxels are damaged."
        )
    if not high > low:
        raise ValueError(
            f"the volume's {upper}th percentile is {high:g}, not above {low:g}: at least {100 - upper:g} % of the "
            "voxels must be brighter than the background."
        )

    background = lost | _air(volume, low, high - low)
    for constant in constants:
        if constant.value != low:
            equal = constant.matches(volume)
            background |= connected_to_border(equal) if low < constant.value < high else equal
            if np.count_nonzero(volume == constant.value) < 0.9 * np.count_nonzero(equal):  # interpolated
                background |= _air(volume, constant.value, high - low)
    if lost.any():
        _check_finite(lost, background | (volume < low + DARK * (high - low)))
    return IntensityRange(low, high, most, max(low, float(inside.min())), background)


def _extent(sample: NDArray[np.floating]) -> tuple[float, float]:
    """Lower and upper end of an ascending sample, refused where there is nothing to scale."""
    if not len(sample) or sample[0] == sample[-1]:
        raise ValueError("the volume is constant: there is nothing to restore.")
    if max(abs(sample[0]), abs(sample[-1])) > LARGEST:
        raise ValueError(
            f"the intensities reach from {sample[0]:g} to {sample[-1]:g}: no scale fits, the voxels are damaged."
        )
    lowest, highest = extent(sample)
    if lowest == highest:
        raise ValueError("its voxels have two values, as those of a mask: there is nothing to restore.")
    return lowest, highest


def _air(volume: NDArray[np.floating], level: float, extent: float) -> NDArray[np.bool_]:
    """Zeros of the air around a head; all of the air where somebody set it, with what interpolation left at its rim."""
    near, equal = within(volume, level, RIM * extent), volume == level
    air = surroundings(near)
    count = np.count_nonzero(air)
    if np.count_nonzero(air & within(volume, level, NOISELESS * extent)) < 0.95 * count:
        return air & equal
    exact = np.count_nonzero(air & equal) > EXACT * count
    return surroundings(equal if exact else near, margin=1)


def _percentile(values: NDArray[np.floating], count: int, upper: float, guess: float, low: float) -> float:
    """Percentile of ``count`` values, ``values`` and others as dark as ``low``, as :func:`numpy.percentile` gives it.

    Only what is above a guess is put in order: a tenth of the time.
    """
    place = (count - 1) * (upper / 100)
    share, needed = place % 1, count - int(place)
    top = values[values > guess]
    top = np.sort(values.ravel() if len(top) < needed else top)[-needed:]
    if len(top) < needed:
        return low
    first, second = top[0], top[min(1, needed - 1)]
    step = np.float64(second - first)
    return float(first + step * share if share < 0.5 else second - step * (1 - share))


def _bright_end(ordered: NDArray[np.floating], low: float, percentile: float) -> tuple[float, float]:
    """The bright end and the most that is shown, from the median of the tissue: of what is above 0.6 of itself."""
    middle, clip = low, percentile
    for _ in range(6):
        mean = float(np.minimum(ordered, clip).mean())  # above which it is no air
        tissue = ordered[np.searchsorted(ordered, max(mean, low + 0.6 * (middle - low))) :]
        middle = float(tissue[len(tissue) // 2])
        clip = min(clip, low + BRIGHTEST * (middle - low))
    if percentile > low + BRIGHTEST * (middle - low):
        high, shown = low + USUAL * (middle - low), SHOWN[1]
    else:
        high, shown = percentile, SHOWN[0]
    return high, low + shown * (high - low)


def _check_finite(lost: NDArray[np.bool_], dark: NDArray[np.bool_]) -> None:
    """Raise where voxels that are not finite are not connected to the border, through background and air."""
    inside = lost & ~connected_to_border(dark)
    for axis in range(3):  # slices that are lost as a whole, between others
        gone = np.asarray(np.moveaxis(lost, axis, 0).all((1, 2)))
        gone[: gone.argmin()] = gone[len(gone) - gone[::-1].argmin() :] = False
        np.moveaxis(inside, axis, 0)[gone] = True
    if number := np.count_nonzero(inside):
        raise ValueError(f"{number} voxels inside the head are NaN or infinite: replace them by a number first.")


def hide(scaled: NDArray[np.float32], found: IntensityRange) -> NDArray[np.bool_]:
    """Hide from a network what is background, as 0, and what lies far outside, as its neighbours.

    These are the median of the eight around, at most the bright end: tissue that shines looks as any bright tissue.

    Args:
        scaled: volume in which ``low`` is 0 and ``high`` is 1, ``(H, W, D)``; changed in place.
        found: its range.

    Returns:
        What was hidden, same shape.
    """
    hidden = found.background.copy()
    scaled[hidden] = 0.0
    most = (found.most - found.low) / (found.high - found.low)
    if scaled.min() < LEAST or scaled.max() > most:
        beyond = (scaled < LEAST) | (scaled > most)
        row, column, k = beyond.nonzero()
        height, width, _ = scaled.shape
        around = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        near = [scaled[(row + i).clip(0, height - 1), (column + j).clip(0, width - 1), k] for i, j in around]
        scaled[beyond] = np.sort(near, axis=0)[3].clip(0.0, 1.0)  # the lower one of the two in the middle
        hidden |= beyond
    return hidden
