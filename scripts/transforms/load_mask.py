# SPDX-License-Identifier: Apache-2.0
"""Load the mask of the voxels of a volume that are to be filled."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, ResampleToMatch
from torch import Tensor

from ..anatomy.domain import AIR
from ..files.errors import failure_reason
from ..files.nifti_header import NO_FORM
from .domain import STRIPPED, noted_facts
from .load_volume import MAX_MEMORY, WARNINGS, LoadVolumed
from .volume_scale import ScaleIntensityByVolumePercentiled

__all__ = ["MOST", "LoadMaskd"]

MOST = 0.5
"""Share of the head, and of the volume, that can be filled from the rest."""
SAME_GRID_MM = 1e-2
"""Difference of two affines that is rounding."""
EMPTY = "its mask is empty: nothing was filled."
RESAMPLED = "its mask is on another grid: {there} voxels of it became {here} here, those nearest to their places."


class LoadMaskd(MapTransform):
    """Load a mask on the grid of its volume; voxels of the volume that are not finite and masked get a finite value.

    A mask on another grid is resampled by nearest neighbour, as both headers say where they lie.

    Args:
        keys: volumes ``(1, H, W, D)`` as :class:`LoadVolumed` gives them.
        mask_key: key of the mask: path, or NIfTI image of nibabel; it becomes boolean, ``(1, H, W, D)``, true where the
            mask is not zero.
        max_memory: gigabytes that a mask may take.

    Raises:
        ValueError: the mask cannot be read or has NaN, a header does not say where its voxels lie, mask and volume do
            not overlap, or hardly anything of the head is left to fill from.
    """

    def __init__(self, keys: KeysCollection, mask_key: str = "mask", max_memory: float = MAX_MEMORY) -> None:
        super().__init__(keys)
        self.mask_key = mask_key
        self.load = LoadVolumed("mask", max_memory=max_memory)
        self.scale = ScaleIntensityByVolumePercentiled(keys)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Load the mask of ``data``."""
        d = dict(data)
        for key in self.key_iterator(d):
            volume: MetaTensor = d[key]
            mask = self._on_grid(d, volume)
            if mask.shape == volume.shape:
                _check_share(mask, torch.ones_like(mask), "image")
                d[key] = _finite(volume, mask)
                scaled = self.scale({key: d[key]})[key]
                _check_share(mask, scaled.as_tensor() > AIR, "head")
                d[STRIPPED] = noted_facts(scaled).stripped
            if not mask.any():
                _warn(d, EMPTY)
            d[self.mask_key] = MetaTensor(mask, affine=volume.affine)
        return d

    def _on_grid(self, d: dict[Hashable, Any], volume: MetaTensor) -> Tensor:
        """The mask of an item on the grid of its volume."""
        source = d[self.mask_key]
        try:
            loaded = self.load({"mask": source})
            mask: MetaTensor = loaded["mask"]
            _check_mask(mask)
            if mask.shape[-3:] == volume.shape[-3:] and np.allclose(mask.affine, volume.affine, 0, SAME_GRID_MM):
                return mask.as_tensor() != 0
            moved, remark = _resampled(mask, loaded.get(WARNINGS, ""), volume, d.get(WARNINGS, ""))
        except Exception as error:  # readers raise what they like
            name = f" {Path(source).name}" if isinstance(source, str) else ""
            raise ValueError(f"its mask{name}: {failure_reason(error)}") from None
        _warn(d, remark)
        return moved


def _warn(d: dict[Hashable, Any], line: str) -> None:
    d[WARNINGS] = "\n".join(filter(None, [d.get(WARNINGS, ""), line]))


def _check_mask(mask: MetaTensor) -> None:
    if mask.ndim != 4 or mask.shape[0] != 1:
        raise ValueError(f"it is of shape {tuple(mask.shape[1:])} x {mask.shape[0]}: one volume is needed.")
    if not torch.isfinite(mask.as_tensor()).all():
        raise ValueError("it has NaN or infinite voxels: write 0 where nothing is to be filled.")


def _resampled(mask: MetaTensor, doubts: str, volume: MetaTensor, volume_doubts: str) -> tuple[Tensor, str]:
    """The mask on the grid of a volume, and what to say of it."""
    shapes = " x ".join(map(str, mask.shape[-3:])), " x ".join(map(str, volume.shape[-3:]))
    for whose, lines in (("its", doubts), ("the image's", volume_doubts)):
        if NO_FORM in lines.splitlines():
            raise ValueError(
                f"it is on another grid ({shapes[0]}, the image {shapes[1]}), and {whose} header does not say where "
                "its voxels lie (sform_code, qform_code 0): draw it on the image."
            )
    there = int((mask.as_tensor() != 0).sum())
    binary = MetaTensor((mask.as_tensor() != 0).float(), affine=mask.affine)
    moved = ResampleToMatch(mode="nearest", padding_mode="zeros")(binary, volume)
    nearest = torch.as_tensor(np.asarray(moved)) != 0
    here = int(nearest.sum())
    if there and not here:
        raise ValueError(
            f"none of its {there} voxels lies in the image: their affines place them apart. Draw it on the image."
        )
    return nearest, RESAMPLED.format(there=there, here=here) if there else ""


def _check_share(mask: Tensor, whole: Tensor, name: str) -> None:
    """Refuse a mask of which hardly anything is left to fill from."""
    share = float((mask & whole).sum()) / max(1, int(whole.sum()))
    if share > MOST:
        raise ValueError(
            f"its mask covers {100 * share:.0f} % of the {name}: at most {100 * MOST:.0f} % can be filled from the "
            "rest. Is it a mask of the brain, or inverted?"
        )


def _finite(volume: MetaTensor, mask: Tensor) -> MetaTensor:
    lost = mask & ~torch.isfinite(volume.as_tensor())
    if not lost.any():
        return volume
    known = volume.as_tensor()[~mask & torch.isfinite(volume.as_tensor())]
    return MetaTensor(volume.as_tensor().masked_fill(lost, float(known.mean())), meta=volume.meta)
