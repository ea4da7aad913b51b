# SPDX-License-Identifier: Apache-2.0
"""The brain of a head from the label and mask files that come with it, as far as they show one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from monai.data import MetaTensor
from numpy.typing import NDArray

from ..anatomy.brain_mask import brain_from_labels
from ..anatomy.head_mask import head_mask
from ..anatomy.label_sets import known_label_sets, label_values, recognised_labels
from ..files.errors import failure_reason
from ..transforms.load_volume import LoadVolumed
from .image_folder import ImageFile

__all__ = ["GivenBrain", "NoBrainMask", "given_brain", "load_head"]

SAME_GRID_MM = 0.05
"""Largest difference of the affines of a head and its mask on the same grid, for headers are rounded."""
SMALLEST_SHARE = 0.15
"""Smallest part of a head that is a brain; of 12 whole heads it was .33 to .41, tumours and lesions are smaller."""

Volume = NDArray[np.float32]


class NoBrainMask(ValueError):  # noqa: N818
    """A file shows something else than a brain."""


@dataclass
class GivenBrain:
    """What the files beside an image show."""

    label: Path | None = None
    """Region labels of a known numbering, or a plain mask that is called labels."""
    mask: Path | None = None
    inside: NDArray[np.bool_] | None = None
    """Brain on the grid of the image, from the mask or else from the labels."""
    not_used: dict[Path, str] = field(default_factory=dict)
    """Why a file is neither of them."""


def given_brain(image: ImageFile, volume: MetaTensor, strict: Collection[str] = ()) -> GivenBrain:
    """Read the labels and the mask of an image, the first of each that shows a brain.

    Args:
        image: image with the files that may be its labels and masks.
        volume: the head ``(1, X, Y, Z)``.
        strict: ``"label"``, ``"mask"`` or both, where such files were asked for: one that shows no brain is an error.

    Raises:
        ValueError: a file cannot be read, is on another grid, or is not what was asked for.
    """
    found = GivenBrain()
    found.label, from_labels = _first(image.labels, "label file", _brain_of_labels, volume, "label" in strict, found)
    found.mask, from_mask = _first(image.masks, "mask", _brain_of_mask, volume, "mask" in strict, found)
    found.inside = from_labels if from_mask is None else from_mask
    return found


def load_head(path: Path) -> MetaTensor:
    """Load the volume ``(1, X, Y, Z)`` of a file."""
    return LoadVolumed(keys="image")({"image": str(path)})["image"]


def _first(
    paths: Sequence[Path],
    kind: str,
    read: Callable[[Volume, MetaTensor], NDArray[np.bool_]],
    volume: MetaTensor,
    strict: bool,
    found: GivenBrain,
) -> tuple[Path, NDArray[np.bool_]] | tuple[None, None]:
    """The first file that shows a brain, and the brain."""
    for path in paths:
        try:
            return path, read(_on_grid(path, kind, volume), volume)
        except NoBrainMask as error:
            if strict:
                raise ValueError(f"its {kind} {path.name} shows no brain: {error}") from None
            found.not_used[path] = str(error)
    return None, None


def _on_grid(path: Path, kind: str, volume: MetaTensor) -> Volume:
    try:
        given = load_head(path)
    except Exception as error:  # readers raise what they like
        raise ValueError(f"its {kind} {path.name} cannot be read: {failure_reason(error)}") from None
    if given.shape != volume.shape or (given.affine - volume.affine).abs().max() > SAME_GRID_MM:
        raise ValueError(
            f"its {kind} {path.name} is on another grid, {tuple(given.shape[1:])} instead of "
            f"{tuple(volume.shape[1:])}, or has another affine: resample it."
        )
    array: Volume = given.numpy()[0]
    return array


def _brain_of_labels(labels: Volume, volume: MetaTensor) -> NDArray[np.bool_]:
    values = label_values(labels)
    if recognised_labels(values) is None:
        _check_plain(labels, values, volume)
    return brain_from_labels(labels, volume.pixdim.tolist())


def _brain_of_mask(mask: Volume, volume: MetaTensor) -> NDArray[np.bool_]:
    values = label_values(mask)
    if recognised_labels(values) is not None:
        return brain_from_labels(mask, volume.pixdim.tolist())
    if values[0] >= 0 and 0 < values[-1] <= 1:  # or probabilities
        mask = (mask > 0.5).astype(np.float32)
    return _check_plain(mask, label_values(mask), volume)


def _check_plain(mask: Volume, values: NDArray[np.float64], volume: MetaTensor) -> NDArray[np.bool_]:
    """A mask of 0 and one other value that may be a brain."""
    inside = mask > 0
    if not inside.any():
        raise NoBrainMask("it has no voxel above 0.")
    if len(values) != 2 or values[0] != 0:
        shown = ", ".join(f"{value:g}" for value in values[:6]) + (", ..." if len(values) > 6 else "")
        raise NoBrainMask(
            f"its values {shown} are neither those of a mask (0 and one other) nor those of a known numbering of brain "
            f"regions ({known_label_sets()}). Give a brain mask with --masks."
        )
    share = np.count_nonzero(inside) / np.count_nonzero(head_mask(volume.as_tensor()[0]))
    if share < SMALLEST_SHARE:
        raise NoBrainMask(f"it marks {share:.1%} of the head: a brain has more.")
    if inside.all():
        raise NoBrainMask("it marks every voxel.")
    return inside
