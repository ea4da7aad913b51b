# SPDX-License-Identifier: Apache-2.0
"""Intensity scaling: one affine map per volume, inverted after the restoration."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform
from monai.utils import TraceKeys, convert_to_tensor

__all__ = ["DIFFERENCE", "ScaleIntensityByVolumePercentiled", "volume_range"]

NOISE_SHARE = 0.25
"""Negative values down to this share of the upper percentile are noise around zero, not an offset.

The 0.5th percentile of noise is 2.6 standard deviations below zero, so this allows for 10 % noise.
"""

DIFFERENCE = "is_difference"
"""Metadata key of a volume that is the difference of two scaled ones, in which the offset has cancelled out."""


def volume_range(volume: torch.Tensor, lower: float = 0.5, upper: float = 99.5) -> tuple[float, float]:
    """Find the intensities that become 0 and 1.

    The lower one is 0, so that the zeros of a magnitude image stay exactly zero, also where noise or ringing brought
    negative values: to a network, zero means air, or a hole. Only an image with an offset (a z-score, a CT scan), whose
    lower percentile is further below zero than a quarter of the upper, is moved up by that percentile.

    Args:
        volume: finite intensities, any shape.
        lower: lower percentile, in [0, 100].
        upper: upper percentile, in (lower, 100].

    Returns:
        ``(low, high)`` in the volume's own unit, ``low < high``, ``low <= 0``.

    Raises:
        ValueError: the two intensities coincide, so there is nothing to scale.
    """
    values = np.asarray(volume.detach().cpu(), dtype=np.float32)  # np.percentile: torch.quantile stops at 2**24 voxels
    low, high = (float(value) for value in np.percentile(values, (lower, upper)))
    low = low if low < -NOISE_SHARE * abs(high) else 0.0
    if not high > low:
        raise ValueError(
            f"the volume's {upper}th percentile is {high:g}, not above {low:g}: at least {100 - upper:g} % of the "
            "voxels must be brighter than the background."
        )
    return low, high


class ScaleIntensityByVolumePercentiled(MapTransform, InvertibleTransform):
    r"""Map each volume to network space by its own robust intensity range, without clipping.

    .. math:: x \mapsto \frac{x - \ell}{u - \ell}, \qquad u = P_{99.5}, \quad
        \ell = P_{0.5} \text{ if } P_{0.5} < -u / 4, \text{ else } 0

    The percentiles are those of the whole volume, background included, so that neighbouring slices keep their relative
    brightness. ``inverse`` restores the unit of the input: the range travels with the ``MetaTensor``, so ``Invertd``
    undoes it too. A difference of two volumes, marked by :data:`DIFFERENCE` in its metadata, is only multiplied.

    Args:
        keys: volumes of shape ``(C, *spatial)``; each is scaled by its own range.
        lower: percentile that becomes 0 where the image has a negative offset.
        upper: percentile that becomes 1.
        allow_missing_keys: skip a key that is absent.

    Raises:
        ValueError: the percentiles are not 0 <= lower < upper <= 100, or a volume has no contrast.
    """

    def __init__(
        self, keys: KeysCollection, lower: float = 0.5, upper: float = 99.5, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        if not 0 <= lower < upper <= 100:
            raise ValueError(
                f"percentiles must satisfy 0 <= lower < upper <= 100, got lower={lower} and upper={upper}."
            )
        self.lower = lower
        self.upper = upper

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Scale the volumes of ``data``; the result is float32."""
        d = dict(data)
        for key in self.key_iterator(d):
            volume = convert_to_tensor(d[key], dtype=torch.float32, track_meta=True)
            low, high = volume_range(volume, self.lower, self.upper)
            scaled = (volume - low).div_(high - low)
            self.push_transform(scaled, extra_info={"low": low, "high": high})
            d[key] = scaled
        return d

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Bring the volumes of ``data`` back to their original intensities."""
        d = dict(data)
        for key in self.key_iterator(d):
            scaled: MetaTensor = d[key]
            info = self.pop_transform(scaled)[TraceKeys.EXTRA_INFO]
            low, high = float(info["low"]), float(info["high"])
            restored = scaled * (high - low)
            d[key] = restored if scaled.meta.get(DIFFERENCE) else restored.add_(low)
        return d
