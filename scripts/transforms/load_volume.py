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
from monai.data import ImageReader, ITKReader, MetaTensor, NibabelReader
from monai.transforms import LoadImage, LoadImaged
from monai.utils import convert_to_tensor

from ..anatomy.sound_volume import check_voxels, fits_float32, loses_nothing
from ..files.checked import MemoryCheck
from ..files.dicom import read_volume
from ..files.formats import format_of, refusal
from ..files.nifti import read_image
from ..files.nifti_header import (
    HEADER,
    INTER,
    SLOPE,
    STORED,
    UNIT_MM,
    header_bytes,
    orientation_doubts,
    scaled,
    unit_in_mm,
)
from ..files.text_headers import check_text_header

__all__ = ["MAX_MEMORY", "WARNINGS", "LoadVolumed"]

WARNINGS = "warnings"
"""Key of an item: doubts about it, a line each."""
MAX_MEMORY = 8.0
"""Gigabytes."""
NOT_WRAPPED = ("int8", "int64")
"""Types of voxels that ITK has no images of in Python; it converts them to float64."""


class LoadVolumed(LoadImaged):
    """``LoadImaged`` that says what is wrong with a file, takes nibabel images, and reads the series of ``series_key``.

    Header, length and checksum of a file have to agree, and to need less than ``max_memory``, before its voxels are
    read. MONAI reads the first series of a folder that holds several, takes the real part of complex voxels, and
    corrects the affine of a NIfTI file whose sform does not agree with its voxel sizes. Here the series is chosen,
    complex voxels are refused, and the affine stays the file's own, in millimetres. The NIfTI header travels with the
    volume (:mod:`~scripts.files.nifti_header`); doubts about it are lines of the item's ``warnings``.

    Args:
        keys: paths of volume files or of folders with DICOM files, or NIfTI images of nibabel; the result is channel
            first and float32, or float64 where float32 would round a head on a large offset.
        series_key: key of the identifier of the DICOM series; absent or empty for a file.
        max_memory: gigabytes that restoring a volume may take.
        stored_key: key under which the voxels are kept as they are stored, before slope and offset: bytes of the type
            and in the order of the loaded volume; "" for nowhere.
        allow_missing_keys: skip a key that is absent.

    Raises:
        ValueError: the file is damaged, contradicts itself or is too large, or its voxels are no real numbers; the
            series is not whole, or several are there.
        OSError: the file cannot be opened or read to its end.
        ModuleNotFoundError: a package that reads the format is missing: itk, or for DICOM dcm2niix and pydicom.
    """

    def __init__(
        self,
        keys: KeysCollection,
        series_key: str = "series",
        max_memory: float = MAX_MEMORY,
        stored_key: str = "",
        allow_missing_keys: bool = False,
    ) -> None:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="NvImgCodecPydicomReader")  # where pydicom is installed
            super().__init__(keys, ensure_channel_first=True, image_only=True, allow_missing_keys=allow_missing_keys)
            self._exact = LoadImage(dtype=np.float64, ensure_channel_first=True, image_only=True)
        self.series_key = series_key
        self.memory = MemoryCheck(max_memory)
        self.stored_key = stored_key

    def __call__(self, data: Mapping[Hashable, Any], reader: ImageReader | None = None) -> dict[Hashable, Any]:
        """Load the volumes of ``data``."""
        d = dict(data)
        for key in self.key_iterator(d):
            source: str | Path | nib.Nifti1Pair = d[key]
            if isinstance(source, nib.Nifti1Pair):
                d[key] = self._of_image(source)
                _keep_header(d, key, source)
                self._keep_stored(d, source)
            elif Path(source).is_dir():
                series = read_volume(Path(source), d.get(self.series_key) or "")
                d[key] = self._of_image(series)
                self._keep_stored(d, series)
            elif (kind := format_of(Path(source).name)) is None or not kind.reader:
                raise ValueError(refusal(kind) if kind else "the file is not an image of a format that is read here.")
            elif kind.reader == "nibabel":
                image = read_image(Path(source), self.memory)
                if isinstance(image, nib.Nifti1Pair):
                    d[key] = self._of_image(image, str(source))
                    _keep_header(d, key, image)
                else:
                    d[key] = self._of_image(nib.Nifti1Image.from_image(image), str(source))
                self._keep_stored(d, image)
            else:
                itk = import_module("itk")
                header = check_text_header(Path(source), self.memory)
                reader = reader or ITKReader(**({"pixel_type": itk.D} if header.dtype in NOT_WRAPPED else {}))
                d[key] = self._loaded(self._exact, str(source), reader)
                d[key].meta[STORED] = header.dtype
                if self.stored_key:
                    d[self.stored_key] = _bytes(reader.get_data(reader.read(str(source)))[0], header.dtype)
        return d

    def _keep_stored(self, d: dict[Hashable, Any], image: nib.spatialimages.SpatialImage) -> None:
        if self.stored_key:
            stored: Any = image.dataobj
            values = stored.get_unscaled() if hasattr(stored, "get_unscaled") else np.asarray(stored)
            d[self.stored_key] = _bytes(values, values.dtype.newbyteorder("=").name)

    def _of_image(self, image: nib.Nifti1Pair, name: str = "") -> MetaTensor:
        check_voxels(image)
        shown = nib.squeeze_image(image) if image.ndim > 4 else image
        volume = self._loaded(self._loader if fits_float32(image) else self._exact, name, _Given(shown))
        volume.affine = torch.as_tensor(image.affine)
        volume.meta["original_affine"] = image.affine
        stored = image.dataobj
        volume.meta |= {
            STORED: image.get_data_dtype().newbyteorder("=").name,
            SLOPE: float(getattr(stored, "slope", 1.0)),
            INTER: float(getattr(stored, "inter", 0.0)),
        }
        return volume

    def _loaded(self, load: LoadImage, name: str, reader: ImageReader) -> MetaTensor:
        loaded = load(name, reader)
        return _narrowed(loaded[0] if isinstance(loaded, tuple) else loaded)  # MONAI Label asks for both


def _bytes(values: np.ndarray, dtype: str) -> bytes:
    """Voxels as bytes, of the byte order of this machine; a batch of bytes needs no tensor of their type."""
    return np.ascontiguousarray(values, dtype=dtype).tobytes()


def _keep_header(d: dict[Hashable, Any], key: Hashable, image: nib.Nifti1Pair) -> None:
    """Let a volume have its NIfTI header and its affine in mm, and its item the doubts about them."""
    volume: MetaTensor = d[key]
    unit_mm, doubt = unit_in_mm(image)
    volume.affine = torch.as_tensor(scaled(image.affine, unit_mm))
    volume.meta |= {"original_affine": volume.affine.numpy(), HEADER: header_bytes(image), UNIT_MM: unit_mm}
    doubts = [doubt] * bool(doubt) + orientation_doubts(image, unit_mm)
    d[WARNINGS] = "\n".join(filter(None, [d.get(WARNINGS, ""), *doubts]))


class _Given(NibabelReader):
    """Reader of an image that is in memory already."""

    def __init__(self, image: nib.Nifti1Pair) -> None:
        super().__init__()
        self.image = image

    def read(self, data: Any, **kwargs: Any) -> nib.Nifti1Pair:
        self.filenames = [""]
        return self.image


def _narrowed(volume: MetaTensor) -> MetaTensor:
    """The volume as float32, unless that is too coarse."""
    if volume.dtype == torch.float32 or not loses_nothing(volume.as_tensor()[0].numpy()):
        return volume
    return convert_to_tensor(volume, dtype=torch.float32, track_meta=True)
