# SPDX-License-Identifier: Apache-2.0
"""Dice coefficient: of two masks, of the tissues of slices, and of whole subjects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["dice", "dice_of_subjects", "mean_dice"]


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_], axis: int | tuple[int, ...] | None = None) -> Any:
    r"""Dice coefficient of two masks.

    .. math:: \frac{2 |A \cap B|}{|A| + |B|}

    Args:
        a: boolean mask.
        b: boolean mask of the same shape.
        axis: axes that are counted together; all of them by default.

    Returns:
        A value in [0, 1] for each index of the other axes; NaN where both masks are empty.

    Example:
        >>> float(dice(np.array([True, True, False]), np.array([True, False, False])))
        0.6666666666666666
    """
    sizes = np.asarray(a.sum(axis) + b.sum(axis), dtype=np.float64)
    return np.divide(2 * (a & b).sum(axis), sizes, out=np.full_like(sizes, np.nan), where=sizes > 0)[()]


def mean_dice(masks: NDArray, labels: NDArray, classes: Iterable[int]) -> NDArray[np.float64]:
    """Dice of each mask, the mean over the classes that the mask or its label has.

    Args:
        masks: class of each pixel, ``(N, H, W)``.
        labels: reference, same shape.
        classes: classes that count.

    Returns:
        ``(N,)``; NaN where both are empty.
    """
    shares = np.stack([dice(masks == value, labels == value, (1, 2)) for value in classes])
    known = np.isfinite(shares)
    return np.where(known, shares, 0).sum(0) / np.where(known.any(0), known.sum(0), np.nan)


def dice_of_subjects(
    masks: NDArray, labels: NDArray, subjects: NDArray, classes: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Dice of each subject and class, over all slices of the subject together.

    Args:
        masks: class of each pixel, ``(N, H, W)``.
        labels: reference, same shape.
        subjects: subject of each slice, ``(N,)``.
        classes: classes by name.

    Returns:
        Rows with ``subject``, ``class`` and ``dice``, NaN where neither has the class; subjects in the order of their
        names.
    """
    return [
        {"subject": subject, "class": name, "dice": dice(masks[of] == value, labels[of] == value)}
        for subject in np.unique(subjects)
        for of in [subjects == subject]
        for name, value in classes.items()
    ]
