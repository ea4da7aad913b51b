# SPDX-License-Identifier: Apache-2.0
"""One head of the demo: damage it, and compare what was restored with what it was."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, LoadImaged, Orientationd

from ..anatomy.head_mask import head_mask
from ..data.slices import subject_key
from ..evaluation.conditions import make_conditions
from ..metrics.restoration import peak_signal_to_noise_ratio
from ..transforms.plane import PLANE_AXCODES
from ..transforms.volume_scale import ScaleIntensityByVolumePercentiled, volume_range

__all__ = ["Restoration", "compare_heads", "damage_head", "read_head"]

INSIDE = "inside the head"

_open = Compose(
    [
        LoadImaged("image", ensure_channel_first=True, image_only=True),
        Orientationd("image", axcodes=PLANE_AXCODES["sagittal"], labels=None),
    ]
)
_scale = ScaleIntensityByVolumePercentiled("image")


@dataclass(frozen=True)
class Restoration:
    """A head clean, damaged and restored, in network space (1 is the clean head's 99.5th percentile), ``(1, H, W, D)``.

    Attributes:
        subject: subject of the head.
        clean: before the damage.
        damaged: input of the network.
        restored: output of the network.
        views: plane and slice of each row of the picture.
        psnr: decibels of (damaged, restored) by region: PSNR of the volume's mean squared error, data range 1.
    """

    subject: str
    clean: MetaTensor
    damaged: MetaTensor
    restored: MetaTensor
    views: Sequence[tuple[str, int | float]]
    psnr: Mapping[str, tuple[float, float]]


def read_head(path: str | os.PathLike[str]) -> MetaTensor:
    """Read a head into network space, shape ``(1, H, W, D)``, sagittal slices along the last axis."""
    return _scale(_open({"image": path}))["image"]


def damage_head(image: str | os.PathLike[str], subject: str, output: Path, seed: int = 0) -> None:
    """Damage the sagittal slices of a head with the mixed damage of the evaluation, as in training.

    Args:
        image: file of the clean head.
        subject: subject of the head, on which the damage depends, as on the seed.
        output: NIfTI file to write, float32, with the grid and intensity scale of the clean head.
        seed: seed of the damage.
    """
    (mixed,) = make_conditions(["mixed"], [3], seed)
    head = read_head(image)
    slices = head.as_tensor()[0].permute(2, 0, 1)[:, None]  # (D, 1, H, W)
    count = len(slices)
    keys: dict[str, torch.Tensor | int] = {
        "subject": torch.full((count,), subject_key(subject)),
        "slice": torch.arange(count),
        "epoch": 0,
    }
    head[0] = mixed.corruption(slices, keys)[:, 0].permute(1, 2, 0)
    damaged = _open.inverse(_scale.inverse({"image": head}))["image"]
    output.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(damaged[0].numpy().astype(np.float32), damaged.affine.numpy()), output)


def compare_heads(
    subject: str,
    clean: str | os.PathLike[str],
    damaged: str | os.PathLike[str],
    restored: str | os.PathLike[str],
    planes: Sequence[str],
) -> Restoration:
    """Measure damage and restoration of one head in the clean one's network space.

    Args:
        subject: subject of the head.
        clean: file of the clean head.
        damaged: file of the damaged one, on the same grid.
        restored: file of the restored one, on the same grid.
        planes: planes of the pictures; the sagittal one shows the most damaged slice of the middle half, others the
            middle slice.
    """
    low, high = volume_range(_open({"image": clean})["image"])
    one, two, three = ((_open({"image": path})["image"] - low) / (high - low) for path in (clean, damaged, restored))
    regions = {
        "whole slices": torch.ones(one.shape, dtype=torch.bool),
        INSIDE: torch.from_numpy(head_mask(one[0]))[None],
    }
    psnr = {}
    for region, mask in regions.items():
        before, after = (float((head - one).square()[mask].mean(dtype=torch.float64)) for head in (two, three))
        psnr[region] = (peak_signal_to_noise_ratio(before), peak_signal_to_noise_ratio(after))
    most_damaged = _most_damaged(one, two)
    views = [(plane, most_damaged if plane == "sagittal" else 0.5) for plane in planes]
    return Restoration(subject, one, two, three, views, psnr)


def _most_damaged(clean: MetaTensor, damaged: MetaTensor) -> int:
    """Index of the sagittal slice with the largest error among those through the middle half of the volume."""
    error = (damaged - clean).square().mean(dim=(0, 1, 2))
    quarter = len(error) // 4
    return quarter + int(error[quarter : 3 * quarter].argmax())
