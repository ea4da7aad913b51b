# SPDX-License-Identifier: Apache-2.0
"""One head of the demo: make it, damage it, and compare what was restored with what it was."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Orientationd
from numpy.typing import ArrayLike

from ..anatomy.head_mask import head_mask
from ..data.demo.head import make_head
from ..data.slices import subject_key
from ..evaluation.conditions import make_conditions
from ..inference.volume_item import VolumeLike, prepare
from ..metrics.restoration import peak_signal_to_noise_ratio
from ..transforms.check_volume import CheckVolumed
from ..transforms.load_volume import LoadVolumed
from ..transforms.plane import PLANE_AXCODES
from ..transforms.volume_scale import ScaleIntensityByVolumePercentiled, volume_range

__all__ = ["Restoration", "compare_heads", "damage", "damage_head", "demo_head", "psnr", "read_head"]

INSIDE = "inside the head"
SAME_GRID_MM = 0.05
PEAK = 1000
"""About the 99.5th percentile of :func:`demo_head`."""

_open = Compose(
    [LoadVolumed("image"), CheckVolumed("image"), Orientationd("image", axcodes=PLANE_AXCODES["sagittal"], labels=None)]
)
_scale = ScaleIntensityByVolumePercentiled("image")
_made_head = lru_cache(maxsize=2)(make_head)


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


def demo_head(seed: int = 0, age: float = 45.0, spacing_mm: float = 2.0) -> nib.Nifti1Image:
    """Make a synthetic T1-weighted head from the brain template inside nilearn: a few seconds the first time.

    Args:
        seed: everything random follows from it.
        age: years; sets the amount of fluid.
        spacing_mm: isotropic voxel size in mm.

    Returns:
        NIfTI image, int16, axes to the right, anterior and superior.

    Raises:
        ValueError: the voxel size is not positive.

    Example:
        >>> head = brain_ae.demo_head()
        >>> head.shape, round(float(head.get_fdata().mean()))
        ((96, 120, 104), 221)
    """
    if not spacing_mm > 0:
        raise ValueError(f"spacing_mm must be positive, got {spacing_mm}.")
    head = _made_head(seed, age, spacing_mm)
    return nib.Nifti1Image(np.rint(head.image * PEAK).astype(np.int16), head.affine)


def damage(
    image: VolumeLike,
    affine: ArrayLike | None = None,
    kind: str = "mixed",
    severity: int = 3,
    seed: int = 0,
    subject: str = "",
) -> nib.Nifti1Image:
    """Damage the sagittal slices of a head in one of the ways of the evaluation.

    Args:
        image: path, nibabel image, or array ``(X, Y, Z)`` of a clean head.
        affine: affine of an array, ``(4, 4)``, voxel indices to millimetres, RAS.
        kind: "mixed" (as in training), "gaussian_noise", "rician_noise", "pixel_dropout", "holes", "blur",
            "bias_field" or "clean".
        severity: 1 (slight) to 5.
        seed: the damage depends on it, on the subject and on the slice.
        subject: name of the head.

    Returns:
        NIfTI image, float32, on the grid and the intensity scale of the input.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: the image is of another type.
        ValueError: the image cannot be used, or the kind or the severity is unknown.

    Example:
        >>> head = brain_ae.demo_head()
        >>> round(brain_ae.psnr(brain_ae.damage(head, kind="holes", severity=5), head), 1)
        12.1
    """
    (condition,) = make_conditions([kind], [severity], seed)
    head = prepare(Compose([_open, _scale]), image, affine)["image"]
    slices = head.as_tensor()[0].permute(2, 0, 1)[:, None]  # (D, 1, H, W)
    count = len(slices)
    keys: dict[str, torch.Tensor | int] = {
        "subject": torch.full((count,), subject_key(subject)),
        "slice": torch.arange(count),
        "epoch": 0,
    }
    head[0] = condition.corruption(slices, keys)[:, 0].permute(1, 2, 0)
    damaged = _open.inverse(_scale.inverse({"image": head}))["image"]
    return nib.Nifti1Image(damaged[0].numpy().astype(np.float32), damaged.affine.numpy())


def psnr(image: VolumeLike, clean: VolumeLike) -> float:
    """Peak signal-to-noise ratio of an image inside the head.

    Args:
        image: path or nibabel image, on the grid of ``clean``.
        clean: path or nibabel image of the head as it should be; its 99.5th percentile is the peak.

    Returns:
        PSNR in decibels, from the mean squared error of all voxels inside the head.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: an image is of another type.
        ValueError: an image cannot be used, or the two have different grids.

    Example:
        >>> head = brain_ae.demo_head()
        >>> round(brain_ae.psnr(brain_ae.damage(head, kind="gaussian_noise", severity=1), head), 1)
        40.0
    """
    clean_head, head = _in_network_space(clean, image)
    return _psnr(head, clean_head, _regions(clean_head)[INSIDE])


def read_head(path: str | os.PathLike[str]) -> MetaTensor:
    """Read a head into network space, shape ``(1, H, W, D)``, sagittal slices along the last axis."""
    return _scale(_open({"image": path}))["image"]


def damage_head(image: str | os.PathLike[str], subject: str, output: Path, seed: int = 0) -> None:
    """:func:`damage` a file.

    Args:
        image: file of the clean head.
        subject: name of the head.
        output: NIfTI file to write, float32: the clean head's grid and intensity scale.
        seed: seed of the damage.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    nib.save(damage(image, subject=subject, seed=seed), output)


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
    one, two, three = _in_network_space(clean, damaged, restored)
    both = {region: (_psnr(two, one, mask), _psnr(three, one, mask)) for region, mask in _regions(one).items()}
    most_damaged = _most_damaged(one, two)
    views = [(plane, most_damaged if plane == "sagittal" else 0.5) for plane in planes]
    return Restoration(subject, one, two, three, views, both)


def _in_network_space(clean: VolumeLike, *others: VolumeLike) -> list[MetaTensor]:
    """A clean head and others of the same grid, scaled by the range of the clean one."""
    heads = [prepare(_open, image)["image"] for image in (clean, *others)]
    for head in heads[1:]:
        if head.shape != heads[0].shape or not torch.allclose(head.affine, heads[0].affine, atol=SAME_GRID_MM):
            raise ValueError(
                f"the images have different grids: {tuple(head.shape[1:])} and {tuple(heads[0].shape[1:])} voxels, or "
                "different affines. Resample one to the other."
            )
    low, high = volume_range(heads[0])
    return [(head - low) / (high - low) for head in heads]


def _regions(clean: MetaTensor) -> dict[str, torch.Tensor]:
    return {
        "whole slices": torch.ones(clean.shape, dtype=torch.bool),
        INSIDE: torch.from_numpy(head_mask(clean[0]))[None],
    }


def _psnr(head: MetaTensor, clean: MetaTensor, mask: torch.Tensor) -> float:
    return peak_signal_to_noise_ratio(float((head - clean).square()[mask].mean(dtype=torch.float64)))


def _most_damaged(clean: MetaTensor, damaged: MetaTensor) -> int:
    """Index of the sagittal slice with the largest error among those through the middle half of the volume."""
    error = (damaged - clean).square().mean(dim=(0, 1, 2))
    quarter = len(error) // 4
    return quarter + int(error[quarter : 3 * quarter].argmax())
