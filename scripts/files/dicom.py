# SPDX-License-Identifier: Apache-2.0
"""DICOM: the volumes that a folder holds, and reading one of them.

The headers are read here, to tell what there is and what is whole; the pixels by dcm2niix or ITK.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib

from .dicom_convert import convert, refused
from .dicom_derived import Source
from .dicom_headers import Header, is_dicom, read_headers
from .dicom_volumes import SAME_DIRECTION, SeriesVolume, volumes_of
from .errors import failure_reason

__all__ = [
    "DicomFolder", "DicomVolume", "find_series", "goes_on_in", "is_dicom", "only_series", "read_volume", "source_of",
]  # fmt: skip

SEPARATOR = "#"
"""Between the identifier of a series and the number of one of its volumes."""


@dataclass(frozen=True)
class DicomVolume:
    """A volume of a DICOM series.

    Attributes:
        series: identifier, for :func:`read_volume`.
        label: what tells it from the others of its folder, such as "series 3, e2"; "" for the only one.
        suffix: the same for a name, such as "_series-3_e2".
        error: why it cannot be read; "" if it can.
    """

    series: str
    label: str
    suffix: str
    error: str


@dataclass(frozen=True)
class DicomFolder:
    """What a folder holds.

    Attributes:
        volumes: of its series, whole or not.
        unreadable: files that are damaged or no DICOM.
        without_images: number of directories, reports and the like.
    """

    volumes: tuple[DicomVolume, ...]
    unreadable: tuple[Path, ...]
    without_images: int


@dataclass(frozen=True)
class _Series:
    headers: tuple[Header, ...]
    volumes: tuple[SeriesVolume, ...]
    error: str


def find_series(folder: Path) -> DicomFolder:
    """List the volumes of the DICOM series of one folder, subfolders and hidden files not included.

    Args:
        folder: folder of the files.

    Returns:
        What it holds. A series that is not whole, or that nothing installed can convert, is one volume with an error.

    Raises:
        ModuleNotFoundError: neither pydicom nor itk is installed.
        OSError: the folder cannot be read.
    """
    found, unreadable, without_images = _listed(str(folder), _state(folder))
    volumes = []
    for (identifier, series), number in zip(found.items(), _numbers(list(found.values())), strict=True):
        count = len(series.volumes) or 1
        for volume in range(1, count + 1):
            parts = [f"series-{number}"] * (len(found) > 1) + [f"e{volume}"] * (count > 1)
            volumes.append(
                DicomVolume(
                    f"{identifier}{SEPARATOR}{volume}" if count > 1 else identifier,
                    ", ".join(part.replace("-", " ", 1) for part in parts),
                    "".join(f"_{part}" for part in parts),
                    series.error,
                )
            )
    return DicomFolder(tuple(volumes), unreadable, without_images)


def read_volume(folder: Path, series: str = "") -> nib.Nifti1Image:
    """Read a volume.

    Args:
        folder: folder of its files.
        series: identifier from :func:`find_series`; "" for the only volume of the folder.

    Returns:
        The image, see :func:`~scripts.files.dicom_convert.convert`.

    Raises:
        FileNotFoundError: the folder holds no DICOM series, or no longer this one.
        ModuleNotFoundError: neither pydicom nor itk is installed.
        ValueError: the folder holds several volumes and none is named, or this one cannot be read.
        OSError: a file cannot be read, or the temporary folder is full.
    """
    if not series:
        series = only_series(folder)
    identifier, _, volume = series.partition(SEPARATOR)
    state = _state(folder)
    found = _listed(str(folder), state)[0].get(identifier)
    if found is None:
        raise FileNotFoundError(f"folder '{folder}' no longer holds this DICOM series.")
    if found.error:
        raise ValueError(found.error)
    if volume:
        return _converted(str(folder), state, identifier)[int(volume) - 1]
    return convert(found.headers, found.volumes)[0]


def source_of(folder: Path, series: str = "") -> Source:
    """The slices of a volume, for what is derived from it.

    Args:
        folder: folder of its files.
        series: identifier from :func:`find_series`; "" for the only volume of the folder.

    Raises:
        FileNotFoundError: the folder no longer holds this series.
        ValueError: it cannot be read.
    """
    identifier, _, volume = (series or only_series(folder)).partition(SEPARATOR)
    found = _listed(str(folder), _state(folder))[0].get(identifier)
    if found is None:
        raise FileNotFoundError(f"folder '{folder}' no longer holds this DICOM series.")
    if found.error:
        raise ValueError(found.error)
    number = int(volume or 1)
    frames = [(header, frame) for header in found.headers for frame in range(len(header.frames))]
    return Source(tuple(frames[index] for index in found.volumes[number - 1].slices), number)


def goes_on_in(folder: Path, other: Path, series: str) -> bool:
    """Whether the slices of a volume lie partly in another folder: those there lie elsewhere, in the same direction.

    Args:
        folder: a folder with a part of the series.
        other: another one with a part of it.
        series: identifier from :func:`find_series`, the same for both.
    """
    parts = [_listed(str(place), _state(place))[0].get(series.partition(SEPARATOR)[0]) for place in (folder, other)]
    mine, theirs = ([frame for header in part.headers for frame in header.frames] if part else [] for part in parts)
    if not mine or not theirs or any(len(frame.orientation) != 6 for frame in (mine[0], theirs[0])):
        return False
    aligned = max(abs(a - b) for a, b in zip(mine[0].orientation, theirs[0].orientation, strict=True)) < SAME_DIRECTION
    return aligned and {frame.position for frame in mine}.isdisjoint(frame.position for frame in theirs)


def only_series(folder: Path) -> str:
    """Identifier of the one volume of a folder.

    Args:
        folder: folder of the files.

    Raises:
        FileNotFoundError: the folder holds no DICOM series.
        ModuleNotFoundError: neither pydicom nor itk is installed.
        ValueError: it holds several, or one that cannot be read.
    """
    volumes = find_series(folder).volumes
    if not volumes:
        raise FileNotFoundError(f"folder '{folder}' holds no DICOM series: give a file, or a folder with one series.")
    if len(volumes) > 1:
        kind = "series" if volumes[0].label.startswith("series") else "volumes"
        raise ValueError(f"folder '{folder}' holds {len(volumes)} DICOM {kind}: give a folder with one.")
    if volumes[0].error:
        raise ValueError(f"{folder}: {volumes[0].error}")
    return volumes[0].series


def _state(folder: Path) -> int:
    """A number that changes with the files of a folder."""
    with os.scandir(folder) as entries:
        states = [(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
    return hash(frozenset((name, state.st_ino, state.st_size, state.st_mtime_ns) for name, state in states))


@lru_cache(maxsize=128)
def _listed(folder: str, state: int) -> tuple[dict[str, _Series], tuple[Path, ...], int]:
    """The series of a folder by identifier, in the order of their numbers, kept while nothing changes."""
    files = sorted(file for file in Path(folder).iterdir() if not file.name.startswith(".") and not file.is_dir())
    headers, unreadable, without_images = read_headers([file for file in files if is_dicom(file)])
    members: dict[str, dict[tuple[object, ...], Header]] = defaultdict(dict)
    for header in headers:  # a copy of a file counts once
        members[header.series].setdefault((header.instance, header.number, header.frames), header)
    found = {identifier: _series(tuple(known.values())) for identifier, known in members.items()}
    ordered = sorted(found.items(), key=lambda pair: (pair[1].headers[0].series_number.zfill(12), pair[0]))
    return dict(ordered), tuple(unreadable), without_images


@lru_cache(maxsize=1)
def _converted(folder: str, state: int, identifier: str) -> list[nib.Nifti1Image]:
    """The volumes of one series, kept until those of another are asked for."""
    series = _listed(folder, state)[0][identifier]
    return convert(series.headers, series.volumes)


def _series(headers: tuple[Header, ...]) -> _Series:
    volumes: tuple[SeriesVolume, ...] = ()
    error = ""
    try:
        volumes = tuple(volumes_of(headers))
    except (ValueError, OSError) as failure:
        error = failure_reason(failure)
    if not error or (headers[0].enhanced and not find_spec("pydicom")):  # which would have read the frames
        error = refused(headers, volumes) or error
    return _Series(headers, volumes if not error else (), error)


def _numbers(found: Sequence[_Series]) -> list[str]:
    """The numbers that the scanner gave, safe in a name; where one is missing or doubled, the positions instead."""
    numbers = [re.sub(r"[^0-9A-Za-z]+", "-", series.headers[0].series_number).strip("-")[:12] for series in found]
    if "" in numbers or len(set(numbers)) < len(numbers):
        return [str(position) for position in range(1, len(found) + 1)]
    return numbers
