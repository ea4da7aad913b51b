# SPDX-License-Identifier: Apache-2.0
"""Region labels of a synthetic head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["REGIONS", "region_labels"]

#: Labels of MUSE, right and left of the middle; one stands for all of its kind.
REGIONS: dict[str, tuple[int, int]] = {"fluid": (1, 1), "ventricle": (51, 52), "gray": (100, 101), "white": (81, 82)}
#: Fluid that is further than this from the surface of the brain is ventricle.
VENTRICLE_DEPTH_MM = 26.0


def region_labels(tissues: NDArray[np.uint8], spacing_mm: float) -> NDArray[np.uint8]:
    """Turn the tissues of a head into region labels, as real cohorts have them.

    Args:
        tissues: 0 outside the brain, 1 cerebrospinal fluid, 2 gray matter, 3 white matter, ``(X, Y, Z)``; x goes to the
            right.
        spacing_mm: voxel size.

    Returns:
        Labels of :data:`REGIONS`, 0 outside the brain, same shape. Ventricles are the fluid deep inside, with its gaps
        of a voxel closed.
    """
    inside = tissues > 0
    deep = ndimage.distance_transform_edt(inside, sampling=spacing_mm) > VENTRICLE_DEPTH_MM
    ventricle = ndimage.binary_closing((tissues == 1) & deep) & inside
    right = np.arange(tissues.shape[0])[:, None, None] > ndimage.center_of_mass(inside)[0]
    kinds = [ventricle, tissues == 1, tissues == 2, tissues == 3]
    labels = [np.where(right, *REGIONS[name]) for name in ("ventricle", "fluid", "gray", "white")]
    return np.select(kinds, labels, 0).astype(np.uint8)
