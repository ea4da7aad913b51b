# SPDX-License-Identifier: Apache-2.0
"""One image, as a user has it, as the item that a preprocessing takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike

from ..files.dicom import only_series
from ..files.errors import failure_reason

__all__ = ["VolumeLike", "prepare", "volume_item"]

VolumeLike: TypeAlias = str | os.PathLike[str] | nib.spatialimages.SpatialImage | ArrayLike
"""Path of a NIfTI, MHA or NRRD file or of a folder with one DICOM series, nibabel image, or array ``(X, Y, Z)``."""


def volume_item(image: VolumeLike, affine: ArrayLike | None = None, key: str = "image") -> dict[str, Any]:
    """Make the item of one volume, for a preprocessing that begins with :class:`~scripts.transforms.LoadVolumed`.

    Args:
        image: path, nibabel image, or array.
        affine: affine of an array, ``(4, 4)``, voxel indices to millimetres, RAS.
        key: entry of the item.

    Returns:
        ``key``: a path or a NIfTI image in memory; ``series``: identifier of a DICOM series, else "".

    Raises:
        FileNotFoundError: the path does not exist, or the folder holds no DICOM series.
        TypeError: the image is of another type.
        ValueError: an array without an affine, or not of real numbers; a folder with several series.
    """
    if isinstance(image, str | os.PathLike):
        path = Path(image).expanduser()
        item: dict[str, Any] = {key: str(path), "series": _only_series(path)}
    elif isinstance(image, nib.spatialimages.SpatialImage):
        given = isinstance(image, nib.Nifti1Pair)
        item = {key: image if given else nib.Nifti1Image.from_image(image), "series": ""}
    elif hasattr(image, "__array__"):
        return {key: _with_affine(np.asarray(image), affine), "series": ""}
    else:
        raise TypeError(f"image must be a path, a nibabel image or an array, got {type(image).__name__}.")
    if affine is not None:
        raise ValueError("affine belongs to an array: a file and a nibabel image have their own. Leave it out.")
    return item


def prepare(
    preprocessing: Callable[[Any], Any], image: VolumeLike, affine: ArrayLike | None = None, key: str = "image"
) -> dict[str, Any]:
    """Load and preprocess one volume.

    Args:
        preprocessing: transform of the item.
        image: see :func:`volume_item`.
        affine: see :func:`volume_item`.
        key: see :func:`volume_item`.

    Returns:
        The transformed item.

    Raises:
        ValueError: the image cannot be read or used; the message is one line that says why.
        FileNotFoundError: see :func:`volume_item`.
        TypeError: see :func:`volume_item`.
    """
    item = volume_item(image, affine, key)
    try:
        return preprocessing(item)
    except Exception as error:  # readers raise what they like, and MONAI wraps it
        name = f"{item[key]}: " if isinstance(item[key], str) else ""
        raise ValueError(name + failure_reason(error)) from error


def _only_series(path: Path) -> str:
    """Identifier of the one DICOM series of a folder; "" for a file."""
    if not path.exists():
        raise FileNotFoundError(f"image '{path}' does not exist: give a file, or a folder with one DICOM series.")
    if not path.is_dir():
        return ""
    return only_series(path)


def _with_affine(array: np.ndarray, affine: ArrayLike | None) -> nib.Nifti1Image:
    if affine is None:
        raise ValueError("an array has no affine of its own: give affine=, 4 x 4, from voxel indices to millimetres.")
    if np.shape(affine) != (4, 4):
        raise ValueError(f"affine must have the shape (4, 4), got {np.shape(affine)}.")
    if array.dtype.kind not in "iufb":
        raise ValueError(f"the voxels are of type {array.dtype}: real numbers are needed.")
    values = array if array.dtype.kind in "iu" or array.dtype == np.float64 else array.astype(np.float32)
    return nib.Nifti1Image(values, np.asarray(affine, dtype=np.float64), dtype=values.dtype)
