# SPDX-License-Identifier: Apache-2.0
"""Headers of MetaImage and NRRD files: ITK, which reads them, believes all that they say."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .checked import MemoryCheck, check_file, check_length, unpacked

__all__ = ["TextHeader", "check_text_header"]

LONGEST = 2**20
"""Bytes of a header."""
NRRD_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "int8"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "uint8"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "int16"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "uint16"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "int32"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "uint32"),
    **dict.fromkeys(("longlong", "long long", "long long int", "int64", "int64_t"), "int64"),
    **dict.fromkeys(("ulonglong", "unsigned long long", "uint64", "uint64_t"), "uint64"),
    "float": "float32",
    "double": "float64",
}
META_TYPES = {
    "CHAR": "int8", "UCHAR": "uint8", "SHORT": "int16", "USHORT": "uint16", "INT": "int32", "UINT": "uint32",
    "LONG": "int32", "ULONG": "uint32", "LONG_LONG": "int64", "ULONG_LONG": "uint64", "FLOAT": "float32",
    "DOUBLE": "float64",
}  # fmt: skip
ENCODINGS = {
    "raw": "raw", "gzip": "gzip", "gz": "gzip", "text": "text", "txt": "text", "ascii": "text",
}  # fmt: skip


MILLIMETRES = {"mm", "millimeter", "millimeters", "millimetre", "millimetres"}


class TextHeader(NamedTuple):
    """What the header of an image says.

    Attributes:
        shape: number of voxels along each axis; of colours and the like, another axis.
        dtype: type of the voxels, by NumPy's name.
    """

    shape: tuple[int, ...]
    dtype: str


def check_text_header(path: Path, check: MemoryCheck) -> TextHeader:
    """Refuse a MetaImage or NRRD file whose header and data do not agree, or that names data elsewhere.

    Args:
        path: ``.mha``, ``.mhd``, ``.nrrd`` or ``.nhdr`` file.
        check: limit of memory.

    Returns:
        What its header says.

    Raises:
        ValueError: the file contradicts itself, is damaged or too large, or its data are neither in it nor beside it.
        OSError: a file cannot be read.
    """
    check_file(path)
    with path.open("rb") as stream:
        start = stream.read(LONGEST)
    try:
        read = _nrrd if start.startswith(b"NRRD") else _meta_image
        return read(path, start, check)
    except LookupError:
        raise ValueError("the file is not an image, or its header is damaged.") from None


def _meta_image(path: Path, start: bytes, check: MemoryCheck) -> TextHeader:
    fields: dict[str, str] = {}
    place = 0
    while "ElementDataFile" not in fields:
        end = start.find(b"\n", place) + 1
        if not end:
            raise KeyError("ElementDataFile")
        name, equals, value = start[place:end].decode("latin-1").partition("=")
        if equals or name.strip():
            _put(fields, name.strip(), value.strip() if equals else None)
        place = end
    dtype = META_TYPES[fields["ElementType"].removeprefix("MET_").removesuffix("_ARRAY")]
    channels = _whole(fields.get("ElementNumberOfChannels", "1"))
    shape = (*map(_whole, fields["DimSize"].split()), *[channels] * (channels > 1))
    if len(fields["DimSize"].split()) != _whole(fields["NDims"]):
        raise ValueError("its header contradicts itself: NDims is not the number of DimSize.")
    if len(shape) != 3:
        raise ValueError(f"the image has {len(shape)} axes {shape}: give one three-dimensional volume per file.")
    if _is_true(fields, "BinaryData", "True") and not _is_true(fields, "CompressedData", "False"):
        encoding = "raw"
    else:
        encoding = "zlib" if _is_true(fields, "CompressedData", "False") else "text"
    own = fields["ElementDataFile"].upper() == "LOCAL"
    if own and encoding == "zlib" and "CompressedDataSize" not in fields:
        raise ValueError("its header does not give CompressedDataSize, without which ITK misreads it: write it again.")
    if encoding == "zlib" and (given := fields.get("CompressedDataSize")) is not None:
        data = path if own else _beside(path, fields["ElementDataFile"])
        have = data.stat().st_size - (place if own else 0)
        if given != str(have):  # ITK believes it, and shows what lay in memory where it is wrong
            raise ValueError(
                f"its header gives {given} bytes of compressed data, but there are {have}: write it again."
            )
    skip = int(fields.get("HeaderSize", "0"))
    return _checked(path, None if own else fields["ElementDataFile"], place, (encoding, skip), shape, dtype, check)


def _nrrd(path: Path, start: bytes, check: MemoryCheck) -> TextHeader:
    ends = [start.index(blank) + len(blank) for blank in (b"\n\n", b"\r\n\r\n") if blank in start]
    place = min(ends, default=len(start))
    fields: dict[str, str] = {}
    for line in start[:place].decode("latin-1").splitlines()[1:]:
        name, colon, value = line.partition(":")
        if line and not line.startswith("#") and not value.startswith("="):
            _put(fields, name.strip().lower().replace(" ", ""), value.strip() if colon else None)
    sizes = tuple(map(_whole, fields["sizes"].split()))
    if len(sizes) != _whole(fields["dimension"]):
        raise ValueError("its header contradicts itself: dimension is not the number of sizes.")
    if len(sizes) != 3:
        raise ValueError(f"the image has {len(sizes)} axes {sizes}: give one three-dimensional volume per file.")
    if fields["encoding"].lower() in ("bzip2", "bz2"):
        raise ValueError("its data are compressed by bzip2, which ITK does not read: write it again with gzip.")
    units = {unit for unit in re.findall(r'"([^"]*)"', fields.get("spaceunits", "")) if unit}
    if not units <= MILLIMETRES:
        raise ValueError(f"its header gives lengths in {', '.join(sorted(units))}: write it again in millimetres.")
    encoding, skip = ENCODINGS[fields["encoding"].lower()], int(fields.get("byteskip", "0"))
    if _whole(fields.get("lineskip", "0"), least=0):
        raise ValueError("its header skips lines of the data: write it again, without line skip.")
    dtype = NRRD_TYPES[fields["type"].lower()]
    if encoding != "text" and not dtype.endswith("int8") and fields.get("endian", "").lower() not in ("little", "big"):
        raise ValueError("its header does not give the order of bytes (endian): write it again.")
    return _checked(path, fields.get("datafile"), place, (encoding, skip), sizes, dtype, check)


def _put(fields: dict[str, str], name: str, value: str | None) -> None:
    if value is None or not (name.isascii() and name.isprintable()):
        raise KeyError(name)
    if fields.get(name, value) != value:
        raise ValueError(f"its header contradicts itself: it gives {name} twice.")
    fields[name] = value


def _whole(text: str, least: int = 1) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise ValueError(f"its header is damaged: {text[:40]!r} is no number of at least {least}.")
    return int(text)


def _is_true(fields: dict[str, str], name: str, default: str) -> bool:
    return fields.get(name, default)[:1].lower() in ("t", "1")  # as ITK does, which looks at the first letter


def _checked(
    path: Path,
    named: str | None,
    place: int,
    storage: tuple[str, int],
    shape: tuple[int, ...],
    dtype: str,
    check: MemoryCheck,
) -> TextHeader:
    """Check the data: in the file from ``place`` on, or in the file ``named`` beside it."""
    (encoding, skip), itemsize = storage, np.dtype(dtype).itemsize
    check(math.prod(shape) * max(1.0, itemsize / 4), f"a volume of {' x '.join(map(str, shape))} voxels")
    data = path if named is None else _beside(path, named)
    count = math.prod(shape) * itemsize
    begin = (place if named is None else 0) + max(0, skip)
    if encoding == "raw":
        have = data.stat().st_size - begin
        check_length(min(have, count) if skip == -1 else have, count)  # -1: whatever comes before
        return TextHeader(shape, dtype)
    with data.open("rb") as stream:
        stream.seek(begin)
        content = stream.read()
    if encoding != "text":
        unpacked(content, encoding, count)
    elif len(content.split()) != math.prod(shape):
        raise ValueError("its header contradicts itself: it has another number of voxels than it says.")
    return TextHeader(shape, dtype)


def _beside(path: Path, named: str) -> Path:
    """The data file of a header, which must lie beside it."""
    if named.upper().startswith("LIST") or "%" in named:
        raise ValueError("its header names several files of data: write it as one file.")
    if Path(named).name != named or "\\" in named:
        raise ValueError(f"its header names the data {named!r}: only data in it or beside it are read.")
    check_file(path.with_name(named))
    return path.with_name(named)
