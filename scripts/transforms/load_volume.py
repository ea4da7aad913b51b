# SPDX-License-Identifier: Apache-2.0
"""Load a volume file, one DICOM series of a folder, or a nibabel image."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import ImageReader, MetaTensor, NibabelReader
from monai.transforms import LoadImage, LoadImaged
from monai.utils import convert_to_tensor

from ..files.dicom import read_volume
from .check_volume import check_affine
from .histogram import extent, ordered_sample

__all__ = ["LoadVolumed"]

COARSEST = 1e-4
"""Largest rounding, as a share of the range of the intensities."""


class LoadVolumed(LoadImaged):
    """``LoadImaged`` that says what is wrong with a file, takes nibabel images, and reads the series of ``series_key``.

    MONAI reads the first series of a folder that holds several, takes the real part of complex voxels, and corrects
    the affine of a NIfTI file whose sform does not agree with its voxel sizes. Here the series is chosen, complex
    voxels are refused, and the affine stays the file's own.

    Args:
        keys: paths of volume files or of folders with DICOM files, or NIfTI images of nibabel; the result is channel
            first and float32, or float64 where float32 would round a head on a large offset.
        series_key: key of the identifier of the DICOM series; absent or empty for a file.
        allow_missing_keys: skip a key that is absent.

    Raises:
        ValueError: the file is empty, or its voxels are no real numbers; the series is not whole, or several are there.
        OSError: the file cannot be opened or read to its end.
        ModuleNotFoundError: a package that reads the format is missing: itk, or for DICOM dcm2niix and pydicom.
    """

    def __init__(self, keys: KeysCollection, series_key: str = "series", allow_missing_keys: bool = False) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")  # where pydicom is installed
            super().__init__(keys, ensure_channel_first=True, image_only=True, allow_missing_keys=allow_missing_keys)
            self._exact = LoadImage(dtype=np.float64, ensure_channel_first=True, image_only=True)
        self.series_key = series_key

    def __call__(self, data: Mapping[Hashable, Any], reader: ImageReader | None = None) -> dict[Hashable, Any]:
        """Load the volumes of ``data``."""
        d = dict(data)
        for key in self.key_iterator(d):
            source: str | Path | nib.Nifti1Pair = d[key]
            if reader is None and not isinstance(source, nib.Nifti1Pair) and Path(source).is_dir():
                source = read_volume(Path(source), d.get(self.series_key) or "")
            image = source if isinstance(source, nib.Nifti1Pair) else _nifti(Path(source))
            if image is not None:
                _check_voxels(image)
            load = self._loader if image is not None and _fits_float32(image) else self._exact
            loaded = load("", _Given(source)) if isinstance(source, nib.Nifti1Pair) else load(source, reader)
            volume = _narrowed(loaded[0] if isinstance(loaded, tuple) else loaded)  # MONAI Label asks for both
            if image is not None:
                volume.affine = torch.as_tensor(image.affine)
                volume.meta["original_affine"] = image.affine
            d[key] = volume
        return d


class _Given(NibabelReader):
    """Reader of an image that is in memory already."""

    def __init__(self, image: nib.Nifti1Pair) -> None:
        super().__init__()
        self.image = image

    def read(self, data: Any, **kwargs: Any) -> nib.Nifti1Pair:
        self.filenames = [""]
        return self.image


def _narrowed(volume: MetaTensor) -> MetaTensor:
    """The volume as float32, unless that is too coarse, as on a large offset."""
    if volume.dtype == torch.float32:
        return volume
    ordered, _ = ordered_sample(volume.as_tensor()[0].numpy())
    if len(ordered):
        lowest, highest = extent(ordered)
        values = ordered.clip(lowest, highest)
        with np.errstate(over="ignore"):
            rounding = np.abs(values.astype(np.float32) - values).max()
        if rounding > COARSEST * (highest - lowest):
            return volume
    return convert_to_tensor(volume, dtype=torch.float32, track_meta=True)


def _fits_float32(image: nib.Nifti1Pair) -> bool:
    """Whether float32 tells any two stored values apart."""
    dtype = image.get_data_dtype()
    fits = dtype.itemsize <= (4 if dtype.kind == "f" else 2)
    return bool(fits and getattr(image.dataobj, "inter", 0) == 0)


def _check_voxels(image: nib.Nifti1Pair) -> None:
    """Raise unless the voxels are real numbers and the affine is one."""
    dtype = image.get_data_dtype()
    if dtype.fields:
        raise ValueError(f"the voxels are colours ({', '.join(dtype.names or ())}): give an image of one channel.")
    if dtype.kind not in "iuf":
        raise ValueError(f"the voxels are of type {dtype}: real numbers are needed.")
    check_affine(image.affine)


def _nifti(path: Path) -> nib.Nifti1Pair | None:
    """The image of a NIfTI file, None for a folder or another format."""
    if path.is_dir():
        return None
    with path.open("rb") as file:
        if not file.read(1):
            raise ValueError("the file is empty.")
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        import_module("itk")  # which reads MHA and NRRD
        return None
    image: Any = nib.load(path)
    return image
