# SPDX-License-Identifier: Apache-2.0
"""Write a volume as NIfTI: with what the header of its input said, complete or not at all."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import DTypeLike

from .atomic import replacing
from .nifti_header import INTER, SLOPE, STORED, kept_header

try:
    from isal import igzip  # ten times as fast as zlib
except ImportError:
    igzip = None  # type: ignore[assignment]
has_igzip = igzip is not None

__all__ = ["CUT_OFF", "INPUT", "as_stored", "nifti_image", "save_nifti", "write_nifti"]

CUT_OFF = "{count} voxels were cut off at the limits of {dtype}, {low} and {high}."
"""Said of a result in the input's type."""

INPUT = "input"
"""The type of the voxels that stands for that of the input."""

SCANNER_ANATOMICAL = 1
"""NIfTI code of a transform to scanner coordinates, written where the input names none (MHA, NRRD, DICOM)."""

GZIP_LEVEL = 1
"""The fastest; ISA-L's is as small as zlib's, which nibabel uses."""


def nifti_image(
    volume: np.ndarray,
    affine: np.ndarray,
    meta: Mapping[str, Any] | None = None,
    slope: float = 1.0,
    inter: float = 0.0,
) -> nib.Nifti1Image:
    """Make a NIfTI image of an array.

    Args:
        volume: ``(H, W, D)``, of the type that the voxels shall have.
        affine: ``(4, 4)``, voxel indices to millimetres, RAS.
        meta: metadata of the input: its NIfTI header is kept, with qform, sform, their codes, the unit, texts and
            extensions, as far as ``volume`` is on its grid; else its ``sform_code`` and ``qform_code``.
        slope: of the values that the voxels stand for.
        inter: their offset.

    Returns:
        The image. Where there is no header, the affine is its sform, and its qform if a rotation can say it.
    """
    meta = meta or {}
    header = kept_header(meta, affine, volume.shape)
    if header is not None:
        header.set_data_dtype(volume.dtype)
        kind = nib.Nifti1Image if header.sizeof_hdr == nib.Nifti1Header.sizeof_hdr else nib.Nifti2Image
        image = kind(volume, header.get_best_affine(), header)  # equal to the header's: neither form is changed
    else:
        image = nib.Nifti1Image(volume, affine, dtype=volume.dtype)
        codes = [int(meta.get(name, 0)) for name in ("sform_code", "qform_code")]
        sform, qform = codes if any(codes) else (SCANNER_ANATOMICAL, SCANNER_ANATOMICAL)
        image.set_sform(affine, code=sform or SCANNER_ANATOMICAL)
        image.set_qform(affine, code=qform)
        if not np.allclose(image.get_qform(), affine, atol=1e-3):  # a rotation cannot say shears
            image.set_qform(None, code=0)
        image.header.set_xyzt_units("mm", "sec")
    scaled = (slope, inter) != (1.0, 0.0) or volume.dtype.kind in "iu"
    image.header.set_slope_inter(*((slope, inter) if scaled else (None, None)))
    return image


def save_nifti(
    volume: np.ndarray,
    affine: np.ndarray,
    path: Path,
    meta: Mapping[str, Any] | None = None,
    dtype: DTypeLike | None = None,
) -> str:
    """Write a NIfTI file under a temporary name in its folder, then rename it.

    Equal volumes give equal bytes: the compressed file holds neither its name nor the time.

    Args:
        volume: ``(H, W, D)``.
        affine: ``(4, 4)``, voxel indices to millimetres, RAS.
        path: ends in ``.nii.gz``; its folder is made where it is missing. A former file is replaced.
        meta: metadata of the input, see :func:`nifti_image`.
        dtype: type of the voxels; "input": that of the input's file, with its slope and offset; None: float64 of a
            float64 volume, else float32.

    Returns:
        How many voxels were cut off because the type cannot hold them; "" if none was.

    Raises:
        ValueError: "input", and the type of the input is not known.
        OSError: the file cannot be written; nothing is left of it.
    """
    if dtype == INPUT:
        stored, slope, inter, remark = as_stored(volume, meta or {})
    else:
        dtype = dtype or (np.float64 if volume.dtype == np.float64 else np.float32)
        stored, slope, inter, remark = np.asarray(volume, dtype=dtype), 1.0, 0.0, ""
    write_nifti(nifti_image(stored, affine, meta, slope, inter), path)
    return remark


def write_nifti(image: nib.Nifti1Image, path: Path) -> None:
    """Write a NIfTI image under a temporary name in its folder, then rename it.

    Args:
        image: the image.
        path: see :func:`save_nifti`.

    Raises:
        OSError: the file cannot be written; nothing is left of it.
    """
    gzip_file = igzip.IGzipFile if has_igzip else gzip.GzipFile
    with (
        replacing(path) as partial,
        partial.open("wb") as raw,
        gzip_file("", "wb", compresslevel=GZIP_LEVEL, fileobj=raw, mtime=0) as file,
    ):
        image.to_stream(file)


def as_stored(volume: np.ndarray, meta: Mapping[str, Any]) -> tuple[np.ndarray, float, float, str]:
    """Values in the type, slope and offset of the input's file, rounded and cut off at the limits of the type.

    Args:
        volume: values of any shape.
        meta: metadata of the input.

    Returns:
        Values as they are stored, slope, offset, and how many were cut off in words, "" if none was.

    Raises:
        ValueError: the type of the input is not known.
    """
    if STORED not in meta:
        raise ValueError("the stored type of the input is not known: leave out --dtype input.")
    dtype = np.dtype(meta[STORED])
    slope, inter = meta.get(SLOPE, 1.0), meta.get(INTER, 0.0)
    values = (volume.astype(np.float64) - inter) / slope
    if dtype.kind == "f":
        return values.astype(dtype), slope, inter, ""
    limits = np.iinfo(dtype)
    values = np.rint(np.nan_to_num(values, nan=0.0, posinf=limits.max, neginf=limits.min))
    beyond = int(np.count_nonzero((values < limits.min) | (values > limits.max)))
    remark = CUT_OFF.format(count=beyond, dtype=dtype, low=limits.min, high=limits.max) if beyond else ""
    top = np.nextafter(float(limits.max), 0) if float(limits.max) > limits.max else limits.max
    return np.clip(values, limits.min, top).astype(dtype), slope, inter, remark
