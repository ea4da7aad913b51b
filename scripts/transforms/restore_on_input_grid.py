# SPDX-License-Identifier: Apache-2.0
"""Bring a prediction back to the grid and the intensities of the input, without touching what the network kept."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Invertd, InvertibleTransform

__all__ = ["RestoreOnInputGridd"]


class RestoreOnInputGridd(Invertd):
    r"""Add the network's correction to the volume as it was loaded.

    .. math:: \text{restored} = x + T^{-1}(\text{pred}) - T^{-1}(T x)

    ``T`` is the preprocessing: orientation, resampling, intensity scale, padding. Inverting the prediction alone would
    return a resampled head even where the network changed nothing. The difference of the two inverses is the correction
    on the input's own grid and scale: where the network returns its input, the voxel comes back as it was.

    Prediction and network input are inverted together, as two channels, so that rounding cancels.

    Args:
        transform: the preprocessing, applied to ``image_key``.
        pred_key: prediction on the grid of ``image_key``; the restored volume takes its place.
        image_key: what the network was given.
        original_key: the volume as loaded; removed from the result.
    """

    def __init__(
        self,
        transform: InvertibleTransform,
        pred_key: str = "pred",
        image_key: str = "image",
        original_key: str = "original",
    ) -> None:
        super().__init__(keys=pred_key, transform=transform, orig_keys=image_key, nearest_interp=False)
        self.pred_key = pred_key
        self.image_key = image_key
        self.original_key = original_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Restore one volume of a decollated batch."""
        d = dict(data)
        original = d.pop(self.original_key)
        pred, image = d[self.pred_key], d[self.image_key]
        d[self.pred_key] = MetaTensor(torch.cat([_plain(pred), _plain(image).to(pred.device, pred.dtype)]))
        d = super().__call__(d)
        restored, unchanged = _plain(d[self.pred_key]).to(original.device).split(1)  # each (1, *spatial)
        d[self.pred_key] = original + (restored - unchanged)
        return d


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """The values without metadata."""
    return tensor.as_tensor() if hasattr(tensor, "as_tensor") else tensor
