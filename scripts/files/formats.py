# SPDX-License-Identifier: Apache-2.0
"""The formats of image files: which are read, by what, and which are known and refused by name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePath

__all__ = ["FORMATS", "READ_ENDINGS", "Format", "data_beside", "format_of", "is_data_of", "refusal", "stem"]


@dataclass(frozen=True)
class Format:
    """A format of image files."""

    name: str
    endings: tuple[str, ...]
    """Of the file that stands for the image, lower case."""
    reader: str = ""
    """Package that reads it; empty: it is refused."""
    remark: str = ""
    """What holds of it; of one that is refused, what to do."""


NAMED = "it is of a format that is not read here ({}): {}."

FORMATS = (
    Format("NIfTI", (".nii", ".nii.gz"), "nibabel", "versions 1 and 2, either byte order"),
    Format("NIfTI pair", (".hdr", ".hdr.gz"), "nibabel", "with its .img or .img.gz beside it; Analyze 7.5 is refused"),
    Format("MGH", (".mgh", ".mgz", ".mgh.gz"), "nibabel", "of FreeSurfer"),
    Format("MetaImage", (".mha", ".mhd"), "itk", "data in the file or in one beside it, plain or zlib"),
    Format("NRRD", (".nrrd", ".nhdr"), "itk", "data in the file or in one beside it; raw, gzip or text"),
    Format("MINC", (".mnc", ".mnc.gz"), "", "convert it to NIfTI, with mnc2nii"),
    Format("AFNI", (".head", ".brik", ".brik.gz"), "", "convert it to NIfTI, with 3dAFNItoNIFTI"),
    Format("Philips PAR/REC", (".par", ".rec"), "", "convert it to NIfTI, with dcm2niix or parrec2nii"),
    Format("image data without a header", (".img", ".img.gz"), "", "put its .hdr beside it"),
    Format("GIPL", (".gipl", ".gipl.gz"), "", "convert it to NIfTI"),
    Format(
        "an archive",
        (".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar", ".nii.bz2", ".nii.xz", ".nii.zst", ".nii.zip"),
        "",
        "unpack it",
    ),
)
READ_ENDINGS = tuple(ending for one in FORMATS if one.reader for ending in one.endings)
PAIRS = {".img": ".hdr", ".img.gz": ".hdr", ".rec": ".par", ".brik": ".head", ".brik.gz": ".head"}
"""Endings of data, and of the header that stands for them."""
DETACHED = {".raw", ".zraw", ".raw.gz", ".bin", ".dat"}
"""Usual endings of the data of the headers that name another file."""

_BY_ENDING = {ending: one for one in FORMATS for ending in one.endings}


def format_of(name: str) -> Format | None:
    """The format of a file by its name; ``None`` where it is none of an image."""
    return _BY_ENDING.get(_ending(name))


def stem(name: str) -> str:
    """Name of a file without the ending of its format.

    Example:
        >>> stem("head.NII.gz"), stem("head.v2.mgz"), stem("head.txt")
        ('head', 'head.v2', 'head.txt')
    """
    return name[: len(name) - len(_ending(name))]


def is_data_of(path: PurePath, names: Collection[str]) -> bool:
    """Whether a file is the data of an image for which another file of its folder stands.

    Args:
        path: the file.
        names: names of the files of the folder, lower case.
    """
    name = path.name.lower()
    base = stem(name)
    header = PAIRS.get(_ending(name))
    if header is None:
        base, dot, ending = name.partition(".")
        return dot + ending in DETACHED and any(f"{base}{header}" in names for header in (".mhd", ".nhdr", ".mha"))
    return any(f"{base}{header}{packed}" in names for packed in ("", ".gz"))


def data_beside(header: Path) -> list[Path]:
    """The files beside a header that may hold its data; none of a file that holds its own.

    Args:
        header: path of an image.
    """
    if not header.name.lower().endswith((".hdr", ".hdr.gz", ".mhd", ".nhdr")):
        return []
    names = {header.name.lower()}
    return sorted(file for file in header.parent.iterdir() if is_data_of(file, names))


def refusal(one: Format) -> str:
    """Why a file of a format that is not read is refused, in one line."""
    return NAMED.format(one.name, one.remark)


def _ending(name: str) -> str:
    lower = name.lower()
    return max((ending for ending in _BY_ENDING if lower.endswith(ending)), key=len, default="")
