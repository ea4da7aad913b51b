# SPDX-License-Identifier: Apache-2.0
"""Voxels read without the reader that restoring uses: by ITK for NIfTI, by pydicom, by a few lines for the rest."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["READERS", "Voxels"]

Voxels = NDArray[np.float64]

MET = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
NRRD = {
    "signed char": "i1", "int8": "i1", "uchar": "u1", "unsigned char": "u1", "uint8": "u1", "short": "i2",
    "int16": "i2", "ushort": "u2", "unsigned short": "u2", "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4",
    "unsigned int": "u4", "uint32": "u4", "float": "f4", "double": "f8", "longlong": "i8", "ulonglong": "u8",
}  # fmt: skip
DIM, DATATYPE, OFFSET, SLOPE = 40, 70, 108, 112
NIFTI = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}


def _nifti_by_itk(path: Path) -> Voxels:
    import itk

    return np.asarray(itk.array_from_image(itk.imread(str(path)))).T.astype(np.float64)


def _nifti(path: Path) -> Voxels:
    content = path.read_bytes()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    order = "<" if int.from_bytes(content[:4], "little") == 348 else ">"
    sizes = np.frombuffer(content, f"{order}i2", 8, DIM)
    shape = [int(size) for size in sizes[1 : sizes[0] + 1]]
    kind = NIFTI[int(np.frombuffer(content, f"{order}i2", 1, DATATYPE)[0])]
    offset = int(np.frombuffer(content, f"{order}f4", 1, OFFSET)[0])
    slope, intercept = (float(value) for value in np.frombuffer(content, f"{order}f4", 2, SLOPE))
    voxels = np.frombuffer(content, order + kind, int(np.prod(shape)), offset or 352).reshape(shape, order="F")
    scaled = slope != 0 and np.isfinite(slope)
    return voxels.astype(np.float64) * (slope if scaled else 1) + (intercept if scaled else 0)


def _mha(path: Path) -> Voxels:
    content = path.read_bytes()
    header, _, data = content.partition(b"ElementDataFile = LOCAL\n")
    fields = dict(re.findall(r"^(\w+) *= *(.*?)\s*$", header.decode("latin-1"), re.MULTILINE))
    order = ">" if fields.get("BinaryDataByteOrderMSB") == "True" else "<"
    if fields.get("CompressedData") == "True":
        data = zlib.decompress(data)
    shape = [int(size) for size in fields["DimSize"].split()]
    return _plain(data, order + MET[fields["ElementType"]], shape)


def _nrrd(path: Path) -> Voxels:
    header, _, data = path.read_bytes().partition(b"\n\n")
    fields = dict(re.findall(r"^([\w ]+): *(.*?)\s*$", header.decode("latin-1"), re.MULTILINE))
    if fields["encoding"] in ("gzip", "gz"):
        data = gzip.decompress(data)
    shape = [int(size) for size in fields["sizes"].split()]
    return _plain(data, (">" if fields.get("endian") == "big" else "<") + NRRD[fields["type"]], shape)


def _plain(data: bytes, kind: str, shape: list[int]) -> Voxels:
    return np.frombuffer(data, kind, int(np.prod(shape))).reshape(shape, order="F").astype(np.float64)


def _dicom(path: Path) -> Voxels:
    from pydicom import dcmread

    slices: list[tuple[float, Any]] = []
    for file in path.parent.iterdir():
        data = dcmread(file, force=True)
        row, column = np.reshape([float(value) for value in data.ImageOrientationPatient], (2, 3))
        place = float(np.cross(row, column) @ [float(value) for value in data.ImagePositionPatient])
        pixels = data.pixel_array.astype(np.float64) * float(data.get("RescaleSlope", 1) or 1)
        slices.append((place, (pixels + float(data.get("RescaleIntercept", 0) or 0)).T))
    return np.stack([pixels for _, pixels in sorted(slices, key=lambda pair: pair[0])], axis=-1)


READERS: dict[str, list[Callable[[Path], Voxels]]] = {
    "NIfTI": [_nifti_by_itk, _nifti],
    "DICOM": [_dicom],
    "NRRD": [_nrrd],
    "MHA": [_mha],
}
"""Of each format; the next is asked where one refuses a file."""
