# SPDX-License-Identifier: Apache-2.0
"""Attributes of slices of tissue classes: areas, positions, proportions and thickness.

Each attribute is a function of a stack of slices and its pixel size; :data:`MEASURES` lists them by name, and
:func:`slice_attributes` measures any of them. Slices are axial: rows from anterior to posterior, columns from the
subject's right to left.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from numpy.typing import ArrayLike, NDArray

from .classes import Tissue
from .slices import slice_levels
from .thickness import grey_matter_depth

__all__ = [
    "ATTRIBUTES", "MEASURES", "UNITS", "SliceAttributesd", "aspect", "attribute_table", "axis_moments", "brain_area",
    "centroid_anterior", "centroid_right", "grey_area", "slice_attributes", "ventricle_area", "ventricle_asymmetry",
    "white_area", "white_fraction",
]  # fmt: skip


def brain_area(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Area of the brain: all that is not background, the ventricles included.

    Args:
        classes: tissue masks, values of :class:`Tissue`, ``(N, H, W)``.
        spacing_mm: height and width of a pixel.

    Returns:
        Area in mm2, ``(N,)``; 0 in an empty slice.
    """
    return _area(classes > Tissue.BACKGROUND, spacing_mm)


def ventricle_area(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Area of the ventricles in mm2; arguments of :func:`brain_area`."""
    return _area(classes == Tissue.VENTRICLE, spacing_mm)


def grey_area(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Area of the grey matter in mm2; arguments of :func:`brain_area`."""
    return _area(classes == Tissue.GREY, spacing_mm)


def white_area(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Area of the white matter in mm2; arguments of :func:`brain_area`."""
    return _area(classes == Tissue.WHITE, spacing_mm)


def white_fraction(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """White matter as a share of the brain, 0 to 1; NaN in an empty slice. Arguments of :func:`brain_area`."""
    brain = brain_area(classes, spacing_mm)
    brain[brain == 0] = np.nan
    return white_area(classes, spacing_mm) / brain


def _area(mask: NDArray[np.bool_], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    return mask.sum((1, 2)) * float(spacing_mm[0] * spacing_mm[1])


def axis_moments(
    mask: NDArray[np.bool_], spacing_mm: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and second moments of masks, each pixel a rectangle of uniform density.

    Args:
        mask: boolean masks ``(N, H, W)``.
        spacing_mm: height and width of a pixel.

    Returns:
        Mean position in mm from the middle of the image (down and to the right), and variance in mm2, both ``(N, 2)``
        for rows and columns; NaN where a mask is empty. The variance of a single pixel is that of a rectangle,
        ``spacing**2 / 12``.
    """
    means, variances = [], []
    for axis in (0, 1):
        counts = mask.sum(axis=2 - axis).astype(np.float64)  # (N, H) or (N, W)
        size = counts.shape[1]
        position = (np.arange(size) - (size - 1) / 2) * spacing_mm[axis]
        total = counts.sum(1)
        total[total == 0] = np.nan
        mean = counts @ position / total
        means.append(mean)
        variances.append(counts @ position**2 / total - mean**2 + spacing_mm[axis] ** 2 / 12)
    return np.stack(means, axis=1), np.stack(variances, axis=1)


def aspect(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Spread of the brain from anterior to posterior divided by that from right to left: length by width.

    The ratio of standard deviations is that of the axes of an ellipse, or of the sides of a rectangle.

    Args:
        classes: tissue masks, values of :class:`Tissue`, ``(N, H, W)``.
        spacing_mm: height and width of a pixel.

    Returns:
        Ratio > 0, ``(N,)``; NaN in an empty slice.
    """
    variance = axis_moments(classes > 0, spacing_mm)[1]
    return np.sqrt(variance[:, 0] / variance[:, 1])


def ventricle_asymmetry(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """``(R - L) / (R + L)`` of the ventricle areas on the two sides of the brain's centroid, in an axial slice.

    The column of the centroid is shared between the sides, so the value is the same wherever the head lies.

    Args:
        classes: tissue masks, values of :class:`Tissue`, ``(N, H, W)``, columns from the subject's right to left.
        spacing_mm: height and width of a pixel.

    Returns:
        From -1 (all on the left) to 1 (all on the right), ``(N,)``; NaN in a slice without ventricles.
    """
    columns = classes.shape[2]
    centroid_mm = axis_moments(classes > 0, spacing_mm)[0][:, 1]
    middle = centroid_mm / spacing_mm[1] + columns / 2  # in pixels from the left edge
    right_share = np.clip(middle[:, None] - np.arange(columns), 0.0, 1.0)  # of each column, (N, W)
    ventricle = (classes == Tissue.VENTRICLE).sum(1)  # (N, W)
    total = ventricle.sum(1).astype(np.float64)
    total[total == 0] = np.nan
    return (ventricle * (2 * right_share - 1)).sum(1) / total


def centroid_anterior(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Distance of the brain's centroid from the middle of the image, positive towards the front.

    The middle of the image is that of the whole head's brain (:func:`scripts.tissue.tissue_transforms`).

    Args:
        classes: tissue masks, values of :class:`Tissue`, ``(N, H, W)``, rows from anterior to posterior.
        spacing_mm: height and width of a pixel.

    Returns:
        Distance in mm, ``(N,)``; NaN in an empty slice.
    """
    return -axis_moments(classes > 0, spacing_mm)[0][:, 0]


def centroid_right(classes: NDArray[np.integer], spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    """Distance of the brain's centroid from the middle of the image, positive towards the subject's right.

    Args:
        classes: tissue masks, values of :class:`Tissue`, ``(N, H, W)``, columns from the subject's right to left.
        spacing_mm: height and width of a pixel.

    Returns:
        Distance in mm, ``(N,)``; NaN in an empty slice.
    """
    return -axis_moments(classes > 0, spacing_mm)[0][:, 1]


MEASURES: dict[str, Callable[[NDArray[np.integer], Sequence[float]], NDArray[np.float64]]] = {
    "brain_area": brain_area,
    "ventricle_area": ventricle_area,
    "grey_area": grey_area,
    "white_area": white_area,
    "white_fraction": white_fraction,
    "ventricle_asymmetry": ventricle_asymmetry,
    "centroid_right": centroid_right,
    "centroid_anterior": centroid_anterior,
    "aspect": aspect,
    "grey_matter_depth": grey_matter_depth,
}
"""Attributes that a mask alone determines, by name."""

ATTRIBUTES = (*MEASURES, "slice_level")
"""Names of all attributes, in the order of the tables. The level depends on the volume that a slice is part of."""

UNITS = dict(zip(ATTRIBUTES, ("mm2", "mm2", "mm2", "mm2", "", "", "mm", "mm", "", "mm", ""), strict=True))
"""Unit of each attribute, "" for a ratio."""


def slice_attributes(
    classes: ArrayLike, spacing_mm: Sequence[float], level: ArrayLike | None = None, names: Sequence[str] = ATTRIBUTES
) -> dict[str, NDArray[np.float64]]:
    """Attributes of a batch of axial slices.

    Args:
        classes: tissue masks, values of :class:`scripts.tissue.Tissue`, ``(N, H, W)``; rows from anterior to
            posterior, columns from the subject's right to left.
        spacing_mm: height and width of a pixel.
        level: position of each slice along the brain, 0 to 1, ``(N,)``; unknown by default.
        names: names of the attributes, from :data:`ATTRIBUTES`.

    Returns:
        For each name the values ``(N,)`` in the unit of :data:`UNITS`. NaN where an attribute is undefined: an absent
        tissue has no position and no shape, and an unknown level no value.

    Raises:
        ValueError: the shape is not ``(N, H, W)``, or a name is unknown.
    """
    masks = np.asarray(classes)
    if masks.ndim != 3:
        raise ValueError(f"slices must have the shape (N, H, W), got {masks.shape}. Give one slice as slice[None].")
    if unknown := set(names) - set(ATTRIBUTES):
        raise ValueError(f"attributes {sorted(unknown)} are unknown: choose from {', '.join(ATTRIBUTES)}.")
    levels = np.full(len(masks), np.nan) if level is None else np.asarray(level, dtype=np.float64)
    return {name: MEASURES[name](masks, spacing_mm) if name in MEASURES else levels for name in names}


def attribute_table(
    classes: ArrayLike, spacing_mm: Sequence[float], level: ArrayLike | None = None, names: Sequence[str] = ATTRIBUTES
) -> NDArray[np.float64]:
    """:func:`slice_attributes` as one array ``(N, len(names))``."""
    return np.stack(list(slice_attributes(classes, spacing_mm, level, names).values()), axis=1)


class SliceAttributesd(MapTransform):
    """Measure all slices of a volume, as ``attributes``: of each name the values ``(D,)``.

    Args:
        keys: tissue classes ``(1, H, W, D)`` with their affine; slices along the last axis, cropped to the brain.
        names: attributes to measure, from :data:`ATTRIBUTES`.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(
        self, keys: KeysCollection, names: Sequence[str] = ATTRIBUTES, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.names = tuple(names)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Measure the volume of ``data``."""
        d = dict(data)
        for key in self.key_iterator(d):
            classes = d[key].cpu().numpy()[0].transpose(2, 0, 1)
            d["attributes"] = slice_attributes(
                classes, d[key].pixdim[:2].tolist(), slice_levels(len(classes)), self.names
            )
        return d
