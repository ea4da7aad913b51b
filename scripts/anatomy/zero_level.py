# SPDX-License-Identifier: Apache-2.0
"""The intensity of nothing, read from the histogram of a volume in any unit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .histogram import centre, half_sample_mode, tie

__all__ = ["zero_level"]

DARK = 0.4
"""Share of the range from the 0.2nd to the 98th percentile that counts as dark."""

AIR_SHARE = 0.35
"""A volume of which more is dark has air: 0.49 and more in IXI heads with noise up to 15 %, 0.25 and less in brains."""

SYMMETRIC = 3.8
"""How many times as far from the peak as half of the voxels below it the last thousandth of them lies: 4.9 in Gaussian
noise, 2.9 in Rayleigh's, which is the air of a magnitude image."""

QUARTILE = 0.6745
"""Half of a Gaussian lies within so many standard deviations of its centre."""

OUTLIER = 1.2
"""The darkest voxel is the lower end of the air if it is no farther from the peak than so many times that last one."""

TIED = 0.001
"""Share of the voxels that a value has at least if it was set."""

TIES = 4.0
"""So many times as many voxels as its neighbours among the values such a value has, unlike a grey level of noise."""

NEAR_AIR = 0.05
"""A constant so little darker than the air, as a share of the range, is its zero."""

DARKEST = 0.0005
"""Quantile that stands for the darkest voxels, a few outliers apart."""

BELOW_BRAIN = 1.5
"""Largest distance of a constant from the 5th percentile of a brain, as a share of the distance to the 95th, at which
it is the brain's zero: 0.35 in stripped T1-weighted brains, more where there is less contrast."""

IN_BRAIN = 0.1
"""A constant so much above the 1st percentile of a brain, as a share of the distance to the 99th, is not its zero."""


def zero_level(ordered: NDArray[np.floating], constants: Mapping[float, int]) -> float:
    """Tell the intensity of nothing.

    With air in the volume, it is the lower end of the air's noise where that is skewed, as in magnitude images, and its
    centre where it is symmetric. Without, as in a brain alone, it is the darkest there is. But where many voxels share
    one value that may be it, around the head or in holes and lost pixels, it is that value.

    Args:
        ordered: ascending sample of the intensities without the constants around the head.
        constants: these, each with its number of voxels.
    """

    def at(*quantiles: float) -> list[float]:
        return [float(ordered[int(quantile * (len(ordered) - 1))]) for quantile in quantiles]

    low, high = at(0.002, 0.98)
    dark = ordered[: np.searchsorted(ordered, low + DARK * (high - low), "right")]
    if len(dark) > AIR_SHARE * len(ordered):
        peak = half_sample_mode(dark)
        darker = dark[: 1 + np.searchsorted(dark, peak)]
        half, last = (peak - float(darker[len(darker) // share]) for share in (2, 1000))
        if last > SYMMETRIC * half:
            zero = centre(dark, peak, half / QUARTILE) if half > 0 else peak
        else:
            zero = float(darker[0 if peak - darker[0] < OUTLIER * last else len(darker) // 1000])
        first, end = peak - last - NEAR_AIR * (high - low), peak + last
    else:
        zero, p1, p5, p95, p99 = at(DARKEST, 0.01, 0.05, 0.95, 0.99)
        first, end = p5 - BELOW_BRAIN * (p95 - p5), p1 + IN_BRAIN * (p99 - p1)
    possible = {value: count for value, count in constants.items() if first <= value <= end}
    possible |= tie(ordered[slice(*np.searchsorted(ordered, (first, end)))], TIED * len(ordered), TIES)
    return max(possible, key=possible.__getitem__, default=zero)
