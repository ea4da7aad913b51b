# SPDX-License-Identifier: Apache-2.0
"""One affine intensity map per volume, undone on the way out."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform
from monai.utils import TraceKeys, convert_to_tensor

from ..anatomy.intensity_range import FINE, HUGE, hide, intensity_range

__all__ = ["DIFFERENCE", "ScaleIntensityByVolumePercentiled", "applied_range", "volume_range"]

DIFFERENCE = "is_difference"
"""Key of the metadata of a volume that is the difference of two scaled ones: the offset has cancelled out."""


def volume_range(volume: torch.Tensor, upper: float = 99.5) -> tuple[float, float]:
    """Find the intensities that become 0 and 1, see :func:`~scripts.anatomy.intensity_range.intensity_range`.

    Args:
        volume: ``(1, H, W, D)``.
        upper: upper percentile, in (0, 100].

    Returns:
        ``(low, high)`` in the volume's own unit, ``low < high``.

    Raises:
        ValueError: the volume has nothing to scale.
    """
    found = intensity_range(_array(volume), upper)
    return found.low, found.high


def applied_range(volume: MetaTensor) -> dict[str, Any] | None:
    """What :class:`ScaleIntensityByVolumePercentiled` noted of a volume: ``low``, ``high``, ``floor``, ``hidden``."""
    for operation in volume.applied_operations:
        if operation[TraceKeys.CLASS_NAME] == ScaleIntensityByVolumePercentiled.__name__:
            return operation[TraceKeys.EXTRA_INFO]
    return None


class ScaleIntensityByVolumePercentiled(MapTransform, InvertibleTransform):
    r"""Map each volume to network space by its own intensity range.

    .. math:: x \mapsto \frac{x - \ell}{u - \ell}, \qquad \ell \text{ the intensity of nothing}, \quad u = P_{99.5}

    Both follow every affine change of the volume, so a head, its z-score and its [-1, 1] are one to a network. The
    percentile is that of the whole volume, air included, so that neighbouring slices keep their relative brightness.
    Two kinds of voxels are hidden: the background, which becomes 0, and what lies far outside of the range, hot voxels
    above all, which becomes the median of its neighbours in the slice, cut off at 0 and 3.5 (1.5 where fat or vessels
    shine).

    ``inverse`` restores the unit of the input: the range travels with the ``MetaTensor``, so ``Invertd`` undoes it too.
    A difference of two volumes, marked by :data:`DIFFERENCE` in its metadata, is only multiplied, and is nothing in
    hidden voxels.

    Args:
        keys: volumes of shape ``(1, H, W, D)``; each is scaled by its own range.
        upper: percentile that becomes 1.
        allow_missing_keys: skip a key that is absent.

    Raises:
        ValueError: the percentile is not in (0, 100], or a volume has no contrast.
    """

    def __init__(self, keys: KeysCollection, upper: float = 99.5, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        if not 0 < upper <= 100:
            raise ValueError(f"upper must be in (0, 100], got {upper}.")
        self.upper = upper

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Scale the volumes of ``data``; the result is float32."""
        d = dict(data)
        for key in self.key_iterator(d):
            volume = convert_to_tensor(d[key], track_meta=True)
            if volume.dtype != torch.float64:
                volume = volume.to(torch.float32)
            found = intensity_range(_array(volume), self.upper)
            scaled = (volume - found.low).div_(found.high - found.low).to(dtype=torch.float32)
            shown = scaled.as_tensor()[0].cpu().numpy()
            hidden = torch.from_numpy(hide(shown, found))[None]
            scaled.as_tensor()[0] = torch.from_numpy(shown)
            self.push_transform(
                scaled, extra_info={"low": found.low, "high": found.high, "floor": found.floor, "hidden": hidden}
            )
            d[key] = scaled
        return d

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Bring the volumes of ``data`` back to the intensities they came with."""
        d = dict(data)
        for key in self.key_iterator(d):
            scaled: MetaTensor = d[key]
            info = self.pop_transform(scaled)[TraceKeys.EXTRA_INFO]
            low, high, hidden = float(info["low"]), float(info["high"]), info["hidden"]
            far = not FINE < high - low < HUGE  # beyond what float32 holds
            restored = (scaled.double() if far else scaled) * (high - low)
            if not scaled.meta.get(DIFFERENCE):
                restored.add_(low)
            else:  # adding -0.0 changes nothing, not even the sign of a zero
                restored.masked_fill_(hidden.to(restored.device), -0.0)
            d[key] = restored
        return d


def _array(volume: torch.Tensor) -> np.ndarray:
    """The values as ``(H, W, D)``."""
    plain = volume.as_tensor() if isinstance(volume, MetaTensor) else volume
    values = plain.detach().cpu().contiguous().numpy()
    return (values if values.dtype == np.float64 else values.astype(np.float32, copy=False)).reshape(
        -1, *values.shape[-2:]
    )
