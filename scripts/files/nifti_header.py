# SPDX-License-Identifier: Apache-2.0
"""The header of a NIfTI image, which travels with its volume, so that a result says all that the input said."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DOUBTS", "HEADER", "INTER", "SLOPE", "STORED", "UNIT_MM", "header_bytes", "kept_header", "orientation_doubts",
    "scaled", "unit_in_mm",
]  # fmt: skip

HEADER, UNIT_MM = "nifti_header", "unit_mm"
"""Keys of the metadata of a volume: its header with extensions as bytes, and its unit of length."""
STORED, SLOPE, INTER = "stored_type", "stored_slope", "stored_inter"
"""Keys of the type that its voxels are stored in, and of the slope and the offset of their values."""

DOUBTS = {
    "a unit of length that NIfTI does not know": "its header has an unknown unit of length: read as mm.",
    "metres or micrometres in which no head could be": "its header says {unit}s, in which it is {metres:.3g} m wide: "
    "read as mm.",
    "a code of qform or sform that NIfTI does not know": "its {name} is {code}, which NIfTI does not know: the matrix "
    "is used, and the code kept.",
    "neither qform nor sform": "its header does not say where left and front are (sform_code, qform_code 0): a guess.",
    "qform and sform that disagree": "its sform and qform are up to {apart:.3g} mm apart: the sform is used, both are "
    "kept.",
    "voxel sizes (pixdim) that are not those of the sform": "its voxel sizes are {sizes} mm by pixdim and {used} mm by "
    "its sform, which is used; both are kept.",
    "axes that are not perpendicular": "its axes are sheared by {angle:.2g} degrees, which is kept.",
}
"""What a header leaves open, and what is said of it."""
UNKNOWN_UNIT, WRONG_UNIT, UNKNOWN_CODE, NO_FORM, TWO_FORMS, SIZES, SHEAR = DOUBTS.values()

IN_MM = {"meter": 1000.0, "micron": 1e-3}
PLAUSIBLE_MM = (10.0, 2000.0)
"""Extent of a volume along its longest axis."""
APART_MM = 1.0
"""How far qform and sform may put a corner apart without a word."""
SKEW = 1e-3
"""Largest cosine of two axes that count as perpendicular; headers are rounded."""


def header_bytes(image: nib.Nifti1Pair) -> bytes:
    """The header of an image with its extensions, as a single NIfTI file would have it, little-endian."""
    own = image.header
    kind = nib.Nifti2Header if own.sizeof_hdr == nib.Nifti2Header.sizeof_hdr else nib.Nifti1Header
    little = own.as_byteswapped("<")
    header = kind(little.binaryblock, "<", check=False, extensions=own.extensions)
    header["magic"] = kind.single_magic
    header["vox_offset"] = 0
    stream = io.BytesIO()
    header.write_to(stream)
    return stream.getvalue()


def kept_header(meta: Mapping[str, Any], affine: NDArray[np.floating], shape: tuple[int, ...]) -> Any:
    """The header of the input of a volume that is still on the input's grid.

    Args:
        meta: metadata of the volume.
        affine: ``(4, 4)``, voxel indices to millimetres, RAS.
        shape: of the volume.

    Returns:
        ``Nifti1Header`` or ``Nifti2Header``; ``None`` where the input had none, or the grid is another.
    """
    content = meta.get(HEADER)
    if not content:
        return None
    kind = (
        nib.Nifti2Header if int.from_bytes(content[:4], "little") == nib.Nifti2Header.sizeof_hdr else nib.Nifti1Header
    )
    header = kind.from_fileobj(io.BytesIO(content), check=False)
    own = scaled(header.get_best_affine(), float(meta.get(UNIT_MM, 1.0)))
    if header.get_data_shape()[:3] != tuple(shape) or not np.allclose(own, affine, rtol=1e-4, atol=1e-3):
        return None
    return header


def scaled(affine: NDArray[np.floating], factor: float) -> NDArray[np.float64]:
    """An affine in another unit."""
    return np.diag([factor, factor, factor, 1.0]) @ affine


def unit_in_mm(image: nib.Nifti1Pair) -> tuple[float, str]:
    """How long the unit of an image is.

    Args:
        image: NIfTI image; where it names no unit, it is millimetres.

    Returns:
        The unit in mm, and a doubt about it: headers name metres and mean millimetres.
    """
    try:
        name = image.header.get_xyzt_units()[0]
    except KeyError:
        return 1.0, UNKNOWN_UNIT
    factor = IN_MM.get(name, 1.0)
    lengths = np.linalg.norm(image.affine[:3, :3], axis=0)[: len(image.shape)] * image.shape[:3]
    extent = float(lengths.max())
    if factor == 1.0 or _plausible(factor * extent) or not _plausible(extent):
        return factor, ""
    return 1.0, WRONG_UNIT.format(unit=name, metres=factor * extent / 1000)


def orientation_doubts(image: nib.Nifti1Pair, unit_mm: float) -> list[str]:
    """What a header leaves open about where its voxels lie.

    Args:
        image: NIfTI image.
        unit_mm: its unit of length in mm.
    """
    header, doubts = image.header, []
    codes = int(header["sform_code"]), int(header["qform_code"])
    for name, code in zip(("sform_code", "qform_code"), codes, strict=True):
        if code not in nib.nifti1.xform_codes.value_set():
            doubts.append(UNKNOWN_CODE.format(name=name, code=code))
    if not any(codes):
        doubts.append(NO_FORM)
    if all(codes):
        corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
        corners[:, :3] *= np.array(image.shape[:3]) - 1
        with suppress(ValueError, nib.spatialimages.HeaderDataError):  # a quaternion that is none
            apart = np.abs(corners @ (header.get_sform() - header.get_qform()).T).max() * unit_mm
            if apart > APART_MM:
                doubts.append(TWO_FORMS.format(apart=apart))
    sizes, used = header["pixdim"][1:4].astype(float), np.linalg.norm(image.affine[:3, :3], axis=0)
    if codes[0] and not codes[1] and not np.allclose(sizes, used, rtol=0.01):
        shown = (" x ".join(f"{size * unit_mm:.3g}" for size in three) for three in (sizes, used))
        doubts.append(SIZES.format(sizes=next(shown), used=next(shown)))
    axes = image.affine[:3, :3] / np.linalg.norm(image.affine[:3, :3], axis=0)
    skew = np.abs(axes.T @ axes - np.eye(3)).max()
    if skew > SKEW:
        doubts.append(SHEAR.format(angle=np.degrees(np.arcsin(min(1.0, skew)))))
    return doubts


def _plausible(extent: float) -> bool:
    return PLAUSIBLE_MM[0] <= extent <= PLAUSIBLE_MM[1]
