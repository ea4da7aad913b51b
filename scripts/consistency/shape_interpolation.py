# SPDX-License-Identifier: Apache-2.0
"""What a missing slice of a mask volume would look like between its neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import softmax

from ..attributes import Tissue

__all__ = ["interpolate_shapes"]


def interpolate_shapes(classes: NDArray[np.uint8], missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Probabilities of the classes in missing slices, by shape-based interpolation.

    The signed distance to the border of each class is interpolated linearly between the nearest slices below and above
    that are not missing; the probabilities are the softmax of minus these distances in pixels. Beyond the last known
    slice its shape is kept.

    Args:
        classes: values of :class:`scripts.attributes.Tissue`, ``(T, H, W)``.
        missing: ``(T,)``, not all of them.

    Returns:
        ``(n, 4, H, W)``, in the order of the missing slices.

    References:
        Raya and Udupa, Shape-based interpolation of multidimensional objects, IEEE Trans. Medical Imaging 9(1), 1990
        (doi:10.1109/42.52980), for one class.
    """
    known = np.flatnonzero(~missing)
    result = []
    for row in np.flatnonzero(missing):
        below, above = known[known < row].max(initial=-1), known[known > row].min(initial=len(classes))
        if below < 0 or above == len(classes):
            distance = _signed_distances(classes[above if below < 0 else below])
        else:
            share = (row - below) / (above - below)
            distance = (1 - share) * _signed_distances(classes[below]) + share * _signed_distances(classes[above])
        result.append(softmax(-distance, axis=0))
    return np.stack(result) if result else np.zeros((0, len(Tissue), *classes.shape[1:]))


def _signed_distances(mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """To the border of each class in pixels, negative inside, ``(4, H, W)``; the size of the slice if it has none."""
    distances = []
    for tissue in Tissue:
        inside = mask == tissue
        if inside.all() or not inside.any():
            distances.append(np.full(mask.shape, -1.0 if inside.all() else 1.0) * max(mask.shape))
        else:
            distances.append(ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside))
    return np.stack(distances)
