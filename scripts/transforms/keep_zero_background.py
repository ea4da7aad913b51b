# SPDX-License-Identifier: Apache-2.0
"""Leave an artificial background, exact zeros around a skull-stripped, defaced or padded head, as it is."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform
from scipy import ndimage

__all__ = ["KeepZeroBackgroundd", "zero_background"]

AIR = 0.02
"""Below this share of the 99.5th percentile a voxel is counted as air."""

ARTIFICIAL_SHARE = 0.95
"""Share of exact zeros in the air that no scanner gives: 0.68 to 0.89 in 34 8-bit IXI heads, less in finer ones."""


def zero_background(volume: np.ndarray, largest_hole: int = 38) -> np.ndarray:
    """Find the exact zeros that somebody set around a head.

    Within a slice a background is connected and larger than the largest hole that the networks fill. Where the air
    holds noise, as it does in an image from a scanner, there is no such background and zeros may be damage.

    Args:
        volume: shape ``(H, W, K)``, 1 = 99.5th percentile, slices along the last axis.
        largest_hole: side in pixels of the largest square hole that is damage and not background.

    Returns:
        Boolean, shape of ``volume``.
    """
    zero = volume == 0
    air = volume < AIR
    if not zero.any() or zero.sum() < ARTIFICIAL_SHARE * air.sum():
        return np.zeros_like(zero)
    in_plane = np.zeros((3, 3, 3), dtype=bool)
    in_plane[:, 1, 1] = in_plane[1, :, 1] = True
    regions, _ = ndimage.label(zero, in_plane)
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    return (sizes > largest_hole**2)[regions]


class KeepZeroBackgroundd(MapTransform):
    """Undo what a network drew into the :func:`zero_background` of its input.

    The networks were trained on whole heads. Shown a brain without its skull, they take the zeros around it for a hole
    and draw a skull there.

    Args:
        keys: predictions, ``(1, H, W, K)``.
        image_key: what the network was given, same shape.
        largest_hole: see :func:`zero_background`.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        image_key: str = "image",
        largest_hole: int = 38,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.image_key = image_key
        self.largest_hole = largest_hole

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Set the predictions under ``keys`` to zero there, in place."""
        d = dict(data)
        background = zero_background(np.asarray(d[self.image_key].cpu())[0], self.largest_hole)
        if background.any():
            for key in self.key_iterator(d):
                d[key][0][background] = 0.0
        return d
