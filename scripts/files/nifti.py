# SPDX-License-Identifier: Apache-2.0
"""NIfTI and MGH files, read by nibabel after their headers, lengths and checksums have been found to agree."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from nibabel.batteryrunners import Report
from nibabel.nifti1 import Nifti1PairHeader
from nibabel.nifti2 import Nifti2PairHeader
from nibabel.quaternions import fillpositive

from .checked import MemoryCheck, check_length, open_checked, read_exactly

__all__ = ["read_image"]

NIFTI_1, NIFTI_2 = 348, 540
MOST_EXTENSIONS = 2**26
"""Bytes of header extensions; more would be no header."""
MOST_TAGS = 2**24
"""Bytes of what FreeSurfer writes after the voxels."""
MGH_START, MGH_FOOTER = 284, 20
WITHOUT_LENGTH = {1, 2, 20, 21}
"""Tags of FreeSurfer that have no length."""
SHORT_LENGTH = {30}
"""Tags of FreeSurfer with a length of 32 bits."""
QUATERNION = ("quatern_b", "quatern_c", "quatern_d")
ROUNDED = -2e-3
"""Square of a quaternion's first part from which it is zero but for rounding; nibabel refuses what is rounded to five
digits, the C library and ITK take anything."""


def _tolerant(kind: Any) -> Any:
    """A class of images that takes a qform of rounded numbers, and keeps matrices whose code NIfTI does not know."""

    def check_code(cls: Any, name: str, header: Any, fix: bool) -> Any:
        known = super(own, cls)._chk_xform_code
        return (header, Report()) if header[name] > 0 else known(name, header, fix)

    changes = {"quaternion_threshold": ROUNDED, "_chk_xform_code": classmethod(check_code)}
    own: Any = type(kind.header_class.__name__, (kind.header_class,), changes)
    return type(kind.__name__, (kind,), {"header_class": own})


Image1, Image2, Pair1, Pair2 = map(_tolerant, (nib.Nifti1Image, nib.Nifti2Image, nib.Nifti1Pair, nib.Nifti2Pair))


def read_image(path: Path, check: MemoryCheck) -> nib.spatialimages.SpatialImage:
    """Read a NIfTI or MGH file.

    Args:
        path: ``.nii``, ``.hdr``, ``.mgh`` or ``.mgz`` file, compressed by gzip or not.
        check: limit of memory.

    Returns:
        The image; voxels of compressed files are in memory, those of others are read when they are asked for.

    Raises:
        ValueError: header, length and checksum do not agree, the image is too large, or it is no file.
        OSError: the file cannot be read.
    """
    with open_checked(path) as stream, _quiet():
        if ".mg" in path.name.lower():
            return _read_mgh(stream, check)
        image = _read_nifti(path, stream, check)
    strict = nib.Nifti2Header if image.header.sizeof_hdr == NIFTI_2 else nib.Nifti1Header
    turn = [image.header[name] for name in QUATERNION]
    try:
        fillpositive(turn, strict.quaternion_threshold)
    except ValueError:  # nibabel could not read the result
        unit = np.asarray(turn, dtype=np.float64) / (np.linalg.norm(turn) + np.finfo(np.float32).eps)
        for name, value in zip(QUATERNION, unit, strict=True):
            image.header[name] = value
    return image


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep nibabel from telling the screen what it sets right in a header: it does not say in which file."""
    logger, before = nib.imageglobals.logger, nib.imageglobals.logger.disabled
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before


def _read_nifti(path: Path, stream: BinaryIO, check: MemoryCheck) -> nib.Nifti1Pair:
    start = stream.read(NIFTI_2)
    if path.name.lower().endswith((".hdr", ".hdr.gz")):
        return _read_pair(path, start, check)
    header = _header(start, single=True)
    count = _offset(header) + _voxel_bytes(header, check) - len(start)
    kind = Image1 if header.sizeof_hdr == NIFTI_1 else Image2
    if isinstance(stream, io.BufferedReader):
        check_length(path.stat().st_size - len(start), count)
        image: nib.Nifti1Pair = kind.from_file_map({"image": nib.FileHolder(filename=str(path))})
    else:
        image = kind.from_stream(io.BytesIO(start + read_exactly(stream, max(count, 0))))
    return image


def _read_pair(path: Path, start: bytes, check: MemoryCheck) -> nib.Nifti1Pair:
    """A header and the file of its voxels."""
    header = _header(start, single=False)
    beside = {file.name.lower(): file for file in path.parent.iterdir()}
    base = path.name[: path.name.lower().rindex(".hdr")].lower()
    data = beside.get(f"{base}.img") or beside.get(f"{base}.img.gz")
    if data is None:
        raise FileNotFoundError(f"there is no {base}.img beside it, which would have the voxels.")
    with open_checked(data) as stream:
        voxels = read_exactly(stream, int(header["vox_offset"]) + _voxel_bytes(header, check))
    kind = Pair1 if header.sizeof_hdr == NIFTI_1 else Pair2
    with open_checked(path) as stream:
        whole = read_exactly(stream, 0, MOST_EXTENSIONS)
    files = {"header": nib.FileHolder(fileobj=io.BytesIO(whole)), "image": nib.FileHolder(fileobj=io.BytesIO(voxels))}
    image: nib.Nifti1Pair = kind.from_file_map(files)
    return image


def _header(start: bytes, single: bool) -> Any:
    """The header of a NIfTI file, refused where it contradicts itself."""
    size = {length for order in "<>" for length in struct.unpack(f"{order}i", start[:4].ljust(4, b"\0"))}
    version = next((length for length in (NIFTI_1, NIFTI_2) if length in size), 0)
    magic = start[344:348] if version == NIFTI_1 else start[4:8]
    kinds = {
        (NIFTI_1, b"n+1\0"): nib.Nifti1Header,
        (NIFTI_2, b"n+2\0"): nib.Nifti2Header,
        (NIFTI_1, b"ni1\0"): Nifti1PairHeader,
        (NIFTI_2, b"ni2\0"): Nifti2PairHeader,
    }
    kind = kinds.get((version, magic))
    if kind is None and version == NIFTI_1 and not single and not magic[:1].isalpha():
        raise ValueError(
            "it is an Analyze 7.5 file, which does not tell left from right: convert it to NIfTI with the program "
            "that wrote it."
        )
    if kind is None or len(start) < version or (magic[1:2] == b"+") != single:
        raise ValueError("the file is not an image, or its header is damaged.")
    header = kind(start[:version], check=False)
    dimensions = [int(size) for size in header["dim"]]
    if not 1 <= dimensions[0] <= 7 or min(dimensions[1 : dimensions[0] + 1]) < 1:
        raise ValueError(f"its header is damaged: it gives the dimensions {dimensions}.")
    known, bits = nib.nifti1.data_type_codes.dtype, int(header["bitpix"])
    dtype: Any = known.get(int(header["datatype"]))
    if dtype is None or dtype.itemsize == 0:
        raise ValueError(f"its header is damaged: it gives the unknown data type {int(header['datatype'])}.")
    if bits != 8 * dtype.itemsize:
        raise ValueError(f"its header contradicts itself: voxels of type {dtype} do not have {bits} bits.")
    if not header["sform_code"] and not np.all(header["pixdim"][1:4]):
        raise ValueError("its header is damaged: a size of its voxels (pixdim) is 0.")
    for name in ("scl_slope", "scl_inter"):
        if np.isinf(header[name]):
            raise ValueError(f"its header is damaged: {name} is infinite.")
    if np.isnan(header["scl_inter"]) and header["scl_slope"] and not np.isnan(header["scl_slope"]):
        raise ValueError("its header is damaged: scl_inter is not a number, although there is a scl_slope.")
    return header


def _offset(header: Any) -> int:
    """Where the voxels begin."""
    offset = float(header["vox_offset"])
    if not (header.sizeof_hdr + 4 <= offset <= MOST_EXTENSIONS and offset == int(offset)):
        raise ValueError(f"its header is damaged: the voxels cannot begin at byte {offset:g}.")
    return int(offset)


def _voxel_bytes(header: Any, check: MemoryCheck) -> int:
    shape, dtype = header.get_data_shape(), header.get_data_dtype()
    voxels = math.prod(map(int, shape))
    check(voxels * max(1.0, dtype.itemsize / 4), f"a volume of {' x '.join(map(str, shape))} voxels")
    return voxels * dtype.itemsize


def _read_mgh(stream: BinaryIO, check: MemoryCheck) -> nib.MGHImage:
    start = stream.read(MGH_START)
    if len(start) < MGH_START or struct.unpack(">i", start[:4]) != (1,):
        raise ValueError("the file is not an image, or its header is damaged.")
    shape, kind = struct.unpack(">4i", start[4:20]), struct.unpack(">i", start[20:24])[0]
    sizes = {0: 1, 1: 4, 3: 4, 4: 2}
    if min(shape) < 1 or kind not in sizes:
        raise ValueError(f"its header is damaged: it gives the dimensions {list(shape)} and the data type {kind}.")
    check(math.prod(shape), f"a volume of {' x '.join(map(str, shape))} voxels")
    count = math.prod(shape) * sizes[kind]
    rest = read_exactly(stream, count, MOST_TAGS)
    if not _are_tags(rest[count + MGH_FOOTER :]):
        raise ValueError("the file is longer than its header says: one of the two is wrong. Write it again.")
    return nib.MGHImage.from_stream(io.BytesIO(start + rest))


def _are_tags(rest: bytes) -> bool:
    """Whether what follows the voxels are tags of FreeSurfer."""
    place = 0
    while place + 4 <= len(rest):
        (tag,) = struct.unpack_from(">i", rest, place)
        place += 4
        if tag == 0:
            break
        if not 0 < tag < 100:
            return False
        if tag not in WITHOUT_LENGTH:
            form = ">i" if tag in SHORT_LENGTH else ">q"
            if place + struct.calcsize(form) > len(rest):
                return False
            (length,) = struct.unpack_from(form, rest, place)
            place += struct.calcsize(form) + max(length, 0)
            if length < 0 or place > len(rest):
                return False
    return not rest[place:].strip(b"\0") if place < len(rest) else True
