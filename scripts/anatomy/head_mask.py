# SPDX-License-Identifier: Apache-2.0
"""Mask of the head, the region in which errors count, as opposed to the air around it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

__all__ = ["head_mask"]

CLOSING_STEPS = 2
"""Steps of the closing that joins skin and brain over the dark skull (4 mm at 2 mm voxels)."""


def head_mask(volume: ArrayLike | torch.Tensor) -> NDArray[np.bool_]:
    """Separate the head from the air by half of Otsu's threshold.

    Otsu's threshold lies between the dark and the bright tissues, half of it between air and the dark ones. A closing
    joins what the skull separates, holes are filled slice by slice along the third axis (the sinuses belong to the
    head even where they open into another slice), and only the largest connected piece is kept.

    Compute it on the CLEAN volume: a mask that depends on the damage would compare different pixels.

    Args:
        volume: shape ``(H, W, D)``, any intensity scale with air darker than tissue; slices along the third axis.

    Returns:
        Boolean array of shape ``(H, W, D)``, never empty.

    Raises:
        ValueError: the volume does not have three axes, is not finite, or is constant.

    References:
        Otsu, A threshold selection method from gray-level histograms, IEEE Trans. SMC 9(1), 1979
        (doi:10.1109/TSMC.1979.4310076).

    Example:
        >>> volume = np.zeros((12, 12, 8))
        >>> volume[3:9, 3:9, 2:6] = 100.0
        >>> int(head_mask(volume).sum()) == 6 * 6 * 4
        True
    """
    if isinstance(volume, torch.Tensor):
        volume = volume.detach().cpu().numpy()
    image = np.asarray(volume, dtype=np.float32)
    if image.ndim != 3:
        raise ValueError(f"head_mask needs a volume of shape (H, W, D), got {image.shape}.")
    if not np.isfinite(image).all():
        raise ValueError("head_mask needs finite intensities, got NaN or infinity.")
    lowest, bright_end = float(image.min()), float(np.percentile(image, 99.5))
    if lowest == float(image.max()):
        raise ValueError(f"head_mask needs tissue and air, got a constant volume of value {lowest:g}.")
    if bright_end > lowest:  # a few very bright vessels must not stretch Otsu's histogram
        image = np.minimum(image, bright_end)
    bright = image > threshold_otsu(image) / 2
    # padded with its own border, so that the erosion spares a head that the edge of the image cuts
    padded = np.pad(bright, CLOSING_STEPS, mode="edge")
    inside = (slice(CLOSING_STEPS, -CLOSING_STEPS),) * 3
    mask = ndimage.binary_closing(padded, iterations=CLOSING_STEPS)[inside]
    mask = np.stack([ndimage.binary_fill_holes(mask[..., k]) for k in range(mask.shape[2])], axis=2)
    labels, count = ndimage.label(mask)
    if count > 1:
        mask = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return mask
