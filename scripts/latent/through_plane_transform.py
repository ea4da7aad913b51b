# SPDX-License-Identifier: Apache-2.0
"""Make the slices of a mask volume in a dictionary fit each other."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from ..tissue.through_plane.correction import correct_volume
from ..tissue.through_plane.thresholds import ConsistencyThresholds
from .model import MaskModel

__all__ = ["ThroughPlaneConsistencyd"]


class ThroughPlaneConsistencyd(MapTransform):
    """Replace the slices of a mask volume that do not fit their neighbours: :func:`correct_volume`.

    Args:
        keys: tissue classes ``(1, H, W, D)`` of a whole brain, axial slices from the lowest to the highest on the grid
            of the model, as :func:`scripts.tissue.slices.tissue_transforms` makes them. For ``pred`` two
            entries are written besides: ``pred_inconsistent``, the numbers of the slices that were replaced, and
            ``pred_consistent``, whether all slices fit now.
        model: autoencoder of masks.
        thresholds: or the file that ``python -m scripts tissue consistency learn`` wrote.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        model: MaskModel,
        thresholds: ConsistencyThresholds | str | os.PathLike[str],
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.model = model
        self.thresholds = (
            thresholds if isinstance(thresholds, ConsistencyThresholds) else ConsistencyThresholds.load(thresholds)
        )

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Correct the volumes under ``keys``."""
        d = dict(data)
        for key in self.key_iterator(d):
            slices = np.ascontiguousarray(np.asarray(d[key])[0].transpose(2, 0, 1).astype(np.uint8))
            result = correct_volume(slices, self.model.encode, self.model.probabilities, self.thresholds)
            volume = torch.as_tensor(d[key]).clone()
            volume[0] = torch.from_numpy(result.classes.transpose(1, 2, 0).copy()).to(volume)
            d[key] = volume
            d[f"{key}_inconsistent"] = np.flatnonzero(result.wrong).tolist()
            d[f"{key}_consistent"] = result.consistent
        return d
