# SPDX-License-Identifier: Apache-2.0
"""Selection of the relevant slices of a head by the three rules of the thesis, each on one statistic per slice.

A sagittal slice beside the head shows ear and noise, not brain. The thesis compared three rules that keep the slices
in the middle, each a threshold on a statistic of the slice:

=================  ===============================================  ==================================================
rule               statistic of a slice                             kept where it is above
=================  ===============================================  ==================================================
``brain``          area of the brain, mm2                           3000 pixels of 0.9375 x 0.9375 mm = 2636.72 mm2
``nonzero_count``  area of the non-zero pixels, mm2                 the first quartile over all slices of the cohort
``nonzero_mean``   mean of the non-zero pixels                      the first quartile over all slices of the cohort
=================  ===============================================  ==================================================

Areas replace the pixel counts of the thesis, so that a rule means the same at any voxel size.

References:
    A. Arnaiz-Rodriguez, Deep Convolutional Autoencoders for reconstructing magnetic resonance images of the healthy
    brain, MSc thesis, UOC, 2021, chapter 6.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BRAIN_AREA_MM2", "RULES", "Rule", "select_slices", "selection_threshold", "slice_statistic"]

Rule = Literal["brain", "nonzero_count", "nonzero_mean"]
RULES: tuple[str, ...] = get_args(Rule)
BRAIN_AREA_MM2 = 3000 * 0.9375**2
"""Smallest brain area of a relevant slice: the thesis's 3000 pixels on its grid of 0.9375 mm."""


def select_slices(statistic: ArrayLike, rule: str = "brain", threshold: float | None = None) -> NDArray[np.bool_]:
    """Select slices by a statistic.

    Args:
        statistic: statistic of all slices of the cohort, in the unit of the rule (see the module).
        rule: ``"brain"``, ``"nonzero_count"`` or ``"nonzero_mean"``.
        threshold: value that the statistic of a selected slice exceeds. Defaults to that of the rule (see
            :func:`selection_threshold`).

    Returns:
        Whether each slice is selected, same shape as ``statistic``.

    Raises:
        ValueError: unknown rule, or a statistic that is not finite.

    Example:
        >>> select_slices([0.0, 2600.0, 2700.0]).tolist()
        [False, False, True]
        >>> select_slices([1.0, 2.0, 3.0, 4.0], "nonzero_mean").tolist()
        [False, True, True, True]
    """
    values = np.asarray(statistic, dtype=np.float64)
    return values > (selection_threshold(values, rule) if threshold is None else threshold)


def selection_threshold(statistic: ArrayLike, rule: str) -> float:
    """The threshold of a rule: fixed for ``brain``, the first quartile over all slices for the other two."""
    if rule not in RULES:
        raise ValueError(f"the selection rule must be one of {', '.join(RULES)}, got {rule!r}.")
    values = np.asarray(statistic, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("the statistic of every slice must be finite, got NaN or infinity. Leave out the bad images.")
    return BRAIN_AREA_MM2 if rule == "brain" else float(np.quantile(values, 0.25))


def slice_statistic(
    volume: NDArray[np.floating], rule: str, pixel_area_mm2: float, brain: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """The statistic of a rule for each slice of a volume.

    Args:
        volume: intensities ``(H, W, D)``; slices along the third axis.
        rule: ``"brain"``, ``"nonzero_count"`` or ``"nonzero_mean"``.
        pixel_area_mm2: area of a pixel of a slice.
        brain: brain mask ``(H, W, D)``, needed by the rule ``brain`` only.

    Returns:
        Statistic of each slice, ``(D,)``, 0 for an empty one: in mm2 for ``brain`` and ``nonzero_count``, in units of
        the volume's 99.5th percentile for ``nonzero_mean``. Differs from the thesis, which took the stored values:
        scanners differ in scale, and one quartile over the cohort would keep all slices of some and none of others.

    Raises:
        ValueError: unknown rule, or no brain mask for the rule ``brain``.
    """
    if rule not in RULES:
        raise ValueError(f"the selection rule must be one of {', '.join(RULES)}, got {rule!r}.")
    if rule == "brain":
        if brain is None:
            raise ValueError("the rule brain needs a brain mask, got none.")
        return np.count_nonzero(brain, axis=(0, 1)) * pixel_area_mm2
    count = np.count_nonzero(volume, axis=(0, 1)).astype(np.float64)
    if rule == "nonzero_count":
        return count * pixel_area_mm2
    scale = float(np.percentile(volume, 99.5)) or 1.0
    return volume.sum(axis=(0, 1), dtype=np.float64) / np.maximum(count, 1.0) / scale
