# SPDX-License-Identifier: Apache-2.0
"""Map a prediction back to the grid and the intensities of the input; what the network kept stays exact."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Transform, allow_missing_keys_mode

from .volume_scale import DIFFERENCE, applied_range

__all__ = ["FILLED", "SD", "RestoreOnInputGridd"]

FILLED, SD = "filled", "uncertainty"
"""Keys of what a prediction tells besides the volume."""

NOTHING = 0.03
"""Smallest correction, as a share of the intensity range, of a voxel that has exactly the intensity of nothing: the air
of a head stays as it is, and holes and lost pixels are filled."""


AT_ONCE = 32
"""Planes that are worked on at a time."""
MOST = 5.0
"""Largest correction that makes sense, as a share of the intensity range: the network's input lies in [-1, 3.5]."""


class RestoreOnInputGridd(Transform):
    r"""Add the network's correction to the volume as it was loaded.

    .. math:: \text{restored} = x + T^{-1}(\text{pred} - T x)

    ``T`` is the preprocessing: orientation, resampling, intensity scale, padding. Inverting the prediction alone, as
    ``Invertd`` does, would return a resampled head even where the network changed nothing. Here only the correction is
    inverted, as a difference (without the offset of the intensity scale): where the network returns its input, the
    voxel keeps its value. Background stays as it is, bit for bit; air that has the intensity of nothing keeps it; and
    no voxel gets darker than that which was not so before.

    ``data`` is changed in place: its tensors are overwritten, and dropped as soon as they are not needed any more, so
    that there are never more than four copies of a large volume.

    Args:
        transform: preprocessing that was applied to ``image_key``.
        pred_key: key of the prediction, on the grid of ``image_key``; the restored volume takes its place.
        image_key: key of the network's input; removed from the result.
        original_key: key of the volume as it was loaded; removed from the result.

    A prediction may have more channels: the second tells where voxels were filled, and becomes the mask ``filled``, the
    third is a standard deviation, and becomes ``uncertainty`` in the unit of the input.

    Raises:
        ValueError: a correction is not finite, or many times the intensity range.
    """

    def __init__(
        self, transform: Compose, pred_key: str = "pred", image_key: str = "image", original_key: str = "original"
    ) -> None:
        self.transform = transform
        self.pred_key = pred_key
        self.image_key = image_key
        self.original_key = original_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Restore one volume of a decollated batch."""
        d = data if isinstance(data, dict) else dict(data)  # whoever holds it would hold its tensors too
        scale = applied_range(d[self.image_key])
        meta, operations = d[self.image_key].meta, d[self.image_key].applied_operations
        pred = _plain(d[self.pred_key])
        filled, sd = (pred[channel : channel + 1] if len(pred) > channel else None for channel in (1, 2))
        filled = None if filled is None else filled > 0.5
        d[self.pred_key], sd = pred[:1].clone(), None if sd is None else sd.clone()
        del pred  # and with it what all channels share
        correction = self._correction(d)
        if filled is not None:
            unit = 1.0 if scale is None else float(scale["high"]) - float(scale["low"])
            d[FILLED] = self._inverted(filled.to(correction), meta, operations) > 0.5 * unit
        if sd is not None:
            d[SD] = self._inverted(sd, meta, operations)
        inverted = self._inverted(correction, meta, operations)
        del correction, filled, sd
        original = d[self.pred_key] = d.pop(self.original_key)
        values, correction = _plain(original), _plain(inverted).to(original.device, original.dtype)
        if scale is None:
            values.add_(correction)
            return d
        low, high, floor = (float(scale[name]) for name in ("low", "high", "floor"))
        for value, change in zip(values.split(AT_ONCE, dim=1), correction.split(AT_ONCE, dim=1), strict=True):
            darkest = value.clamp(max=floor)
            least = (value == low).to(value.dtype).mul_(NOTHING * (high - low)).add_(darkest)
            result = change.add_(value)
            torch.where(result < least, darkest, result, out=value)
        return d

    def _inverted(self, difference: torch.Tensor, meta: dict[str, Any], operations: list[Any]) -> MetaTensor:
        """A difference of the network's intensities on the grid and in the unit of the input."""
        marked = MetaTensor(difference, meta={**meta, DIFFERENCE: True}, applied_operations=list(operations))
        with allow_missing_keys_mode(self.transform):
            return self.transform.inverse({self.image_key: marked})[self.image_key]

    def _correction(self, d: dict[Hashable, Any]) -> torch.Tensor:
        """Prediction minus input; both are removed from ``d``."""
        pred, image = d.pop(self.pred_key), d.pop(self.image_key)
        difference = _plain(pred).sub_(_plain(image).to(pred.device, pred.dtype))
        largest = float(max(abs(extreme) for extreme in torch.aminmax(difference)))
        if not largest <= MOST:
            raise ValueError(
                f"the network's largest correction is {largest:.3g} times the intensity range, at most {MOST:g} makes "
                "sense: the weights are damaged or those of another preprocessing, or the image is no head."
            )
        return difference


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor without its metadata."""
    return tensor.as_tensor() if hasattr(tensor, "as_tensor") else tensor
