# SPDX-License-Identifier: Apache-2.0
"""Small valid files of each format, which mutation damages."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

__all__ = ["SEEDS", "small_head"]

SHAPE = (17, 18, 19)
SPACING = (2.0, 2.0, 2.0)


def small_head(seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> NDArray[np.int16]:
    """A bright noisy ellipsoid in dark noise, ``(X, Y, Z)``; no two seeds are alike."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij")
    inside = sum(axis**2 for axis in axes) < 0.8
    return np.abs(np.where(inside, 500 + 150 * axes[0], 0) + rng.normal(0, 15, shape)).astype(np.int16)


def _nifti(folder: Path, seed: int, dtype: Any, suffix: str, big_endian: bool = False) -> Path:
    header = nib.Nifti1Header(endianness=">" if big_endian else "<")
    header.set_data_dtype(dtype)
    image = nib.Nifti1Image(small_head(seed).astype(dtype), np.diag([*SPACING, 1.0]), header)
    if seed % 2:
        image.set_qform(image.affine, 1)
    path = folder / f"head{suffix}"
    nib.save(image, path)
    return path


def _voxels(seed: int) -> bytes:
    return small_head(seed).astype("<i2").tobytes(order="F")


def _write(folder: Path, name: str, lines: list[str], data: bytes) -> Path:
    path = folder / name
    path.write_bytes("\n".join([*lines, ""]).encode() + data)
    return path


def _mha(folder: Path, seed: int, compressed: bool) -> Path:
    data = zlib.compress(_voxels(seed)) if compressed else _voxels(seed)
    lines = ["ObjectType = Image", "NDims = 3", "BinaryData = True", "BinaryDataByteOrderMSB = False"]
    lines += [f"CompressedData = {compressed}", *([f"CompressedDataSize = {len(data)}"] if compressed else [])]
    lines += ["TransformMatrix = 1 0 0 0 1 0 0 0 1", "Offset = 1 2 3", "CenterOfRotation = 0 0 0"]
    lines += ["AnatomicalOrientation = RAI", "ElementSpacing = 2 2 2", "DimSize = 17 18 19"]
    return _write(folder, "head.mha", [*lines, "ElementType = MET_SHORT", "ElementDataFile = LOCAL"], data)


def _nrrd(folder: Path, seed: int, compressed: bool) -> Path:
    lines = ["NRRD0004", "type: short", "dimension: 3", "space: left-posterior-superior", "sizes: 17 18 19"]
    lines += ["space directions: (2,0,0) (0,2,0) (0,0,2)", "kinds: domain domain domain", "endian: little"]
    lines += [f"encoding: {'gzip' if compressed else 'raw'}", "space origin: (1,2,3)", ""]
    data = gzip.compress(_voxels(seed), mtime=0) if compressed else _voxels(seed)
    return _write(folder, "head.nrrd", lines, data)


def _dicom(folder: Path, seed: int) -> Path:
    """A series of one file a slice; the file of the middle slice."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

    for k, pixels in enumerate(np.moveaxis(small_head(seed).astype("<u2"), 2, 0)):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.{seed}.{k + 1}")
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
        data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        data.Modality, data.Manufacturer, data.MRAcquisitionType, data.PatientPosition = "MR", "ACME", "3D", "HFS"
        data.StudyInstanceUID, data.SeriesInstanceUID, data.SeriesNumber = "1.2.3", f"1.2.3.{seed}", "1"
        data.InstanceNumber = str(k + 1)
        data.ImageOrientationPatient, data.PixelSpacing = ["1", "0", "0", "0", "1", "0"], ["2", "2"]
        data.ImagePositionPatient, data.SliceThickness = ["0", "0", str(2 * k)], "2"
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.Rows, data.Columns = pixels.shape[1], pixels.shape[0]
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit, data.PixelRepresentation = 15, 0
        data.PixelData = pixels.T.tobytes()
        data.save_as(folder / f"{k:03d}", enforce_file_format=True)
    return folder / "008"


SEEDS: Mapping[str, list[Callable[[Path, int], Path]]] = {
    "NIfTI": [
        lambda folder, seed: _nifti(folder, seed, np.int16, ".nii"),
        lambda folder, seed: _nifti(folder, seed, np.float32, ".nii"),
        lambda folder, seed: _nifti(folder, seed, np.int16, ".nii.gz"),
        lambda folder, seed: _nifti(folder, seed, np.uint16, ".nii", big_endian=True),
    ],
    "DICOM": [_dicom],
    "NRRD": [lambda folder, seed: _nrrd(folder, seed, False), lambda folder, seed: _nrrd(folder, seed, True)],
    "MHA": [lambda folder, seed: _mha(folder, seed, False), lambda folder, seed: _mha(folder, seed, True)],
}
"""Functions that write a file into a folder and return its path; of DICOM a whole series."""
