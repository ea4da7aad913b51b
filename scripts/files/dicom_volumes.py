# SPDX-License-Identifier: Apache-2.0
"""Which volumes the slices of a DICOM series make, told by their headers alone, before a converter sees them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .dicom_headers import Frame, Header, pixel_bytes

__all__ = ["SAME_DIRECTION", "TOLERANCE", "SeriesVolume", "volumes_of"]

TOLERANCE = 0.1
"""Of the distance of two slices: how far one may lie from its place. Scanners round positions, some to .1 mm."""
SAME_PLACE = 0.01
"""Of the pixel size: how far slices at one place may lie apart."""
MOST_COMPRESSED = 2000
"""Times: no compression saves more."""
SAME_DIRECTION = 1e-3
"""How much the cosines of slices of one direction may differ."""


class SeriesVolume(NamedTuple):
    """A volume by its headers.

    Attributes:
        affine: of columns, rows and slices, in this order, to millimetres, RAS; None for a mosaic, of which only the
            converter knows it.
        shape: number of columns, rows and slices.
        slices: number of each slice among all frames of the series.
    """

    affine: np.ndarray | None
    shape: tuple[int, int, int]
    slices: tuple[int, ...]


class _Slice(NamedTuple):
    number: int
    header: Header
    frame: Frame


def volumes_of(headers: Sequence[Header]) -> list[SeriesVolume]:
    """The volumes of a series.

    Args:
        headers: of the files of one series.

    Returns:
        The volumes, originals before derived ones, then by echo, then by instance number.

    Raises:
        ValueError: the slices make no whole volumes; one line that says why.
    """
    if any(header.size[2] != 1 for header in headers):
        raise ValueError("its pixels are colours: give a series of grey values.")
    for header in headers:
        _check_length(header)
    if headers[0].mosaic:
        in_order = _by_number(headers, [0] * len(headers), len(headers))
        return [SeriesVolume(None, (0, 0, 0), (index,)) for index in in_order]
    frames = [(header, frame) for header in headers for frame in header.frames]
    if len(frames) != sum(header.count for header in headers) or not all(_placed(frame) for _, frame in frames):
        raise ValueError("it does not say where its slices lie: these are pictures, not slices of a volume.")
    groups: dict[tuple[str, ...], list[_Slice]] = defaultdict(list)
    for index, (header, frame) in enumerate(frames):
        groups[*map(str, header.size), *frame.label].append(_Slice(index, header, frame))
    if len(groups) == len(frames):  # what differs from slice to slice tells no volumes apart
        groups = {(): [member for group in groups.values() for member in group]}
    return [volume for label in sorted(groups, key=_rank) for volume in _volumes(groups[label])]


def _check_length(header: Header) -> None:
    """Refuse a file with fewer pixels than it claims to have."""
    claimed, length = pixel_bytes(header), header.file.stat().st_size
    if claimed > MOST_COMPRESSED * length or not (header.compressed or header.start + claimed <= length):
        raise ValueError(f"{header.file.name} is truncated: it ends before its pixels do.")


def _rank(label: tuple[str, ...]) -> tuple[bool, list[str]]:
    """Originals first; numbers by their size."""
    text = "\t".join(label)
    return "DERIVED" in text, [part.zfill(9) for part in re.findall(r"\d+|\D+", text)]


def _placed(frame: Frame) -> bool:
    """Whether a slice has all that a place is made of, in finite numbers."""
    numbers = (*frame.orientation, *frame.position, *frame.spacing)
    lengths = (len(frame.orientation), len(frame.position), len(frame.spacing))
    if lengths != (6, 3, 2) or not np.isfinite([*numbers, frame.slope, frame.intercept]).all():
        return False
    row, column = np.reshape(frame.orientation, (2, 3))
    return min(frame.spacing) > 0 and bool(np.linalg.norm(np.cross(row, column)) > 0.9)


def _volumes(members: Sequence[_Slice]) -> list[SeriesVolume]:
    """The volumes of slices of one kind, all on one grid."""
    first = members[0].frame
    cosines = np.array([member.frame.orientation for member in members])
    if np.abs(cosines - cosines[0]).max() > SAME_DIRECTION:
        raise ValueError("its slices lie in several directions, as those of a localiser: they make no volume.")
    if any(member.frame.spacing != first.spacing for member in members):
        raise ValueError("its slices have pixels of several sizes: they make no volume.")
    row, column = cosines[0].reshape(2, 3)
    normal = np.cross(row, column)
    positions = np.array([member.frame.position for member in members])
    order = np.argsort(positions @ normal, kind="stable")
    steps = np.diff((positions @ normal)[order]) > SAME_PLACE * min(first.spacing)
    places = np.empty(len(members), dtype=int)
    places[order] = np.concatenate([[0], np.cumsum(steps)])
    counts = np.bincount(places)
    if counts.min() != counts.max():
        odd = counts[places] != np.bincount(counts).argmax()
        file = members[int(odd.argmax())].header.file.name
        raise ValueError(
            f"slices are missing or doubled: there are {counts.min()} to {counts.max()} at a place. See {file}."
        )
    count, slices = int(counts[0]), len(counts)
    corners = positions[order[::count]]
    step = (corners[-1] - corners[0]) / (slices - 1) if slices > 1 else normal
    _check_spacing(corners, step, normal, min(first.spacing))
    affine = np.eye(4)
    affine[:3] = np.column_stack([row * first.spacing[1], column * first.spacing[0], step, corners[0]])
    affine[:2] *= -1  # DICOM's axes point to the left and to the back
    columns, rows = members[0].header.size[:2]
    by_number = _by_number([member.header for member in members], places, count) if count > 1 else range(slices)
    in_order = sorted(by_number, key=lambda index: places[index])  # stable: at a place, by number
    return [
        SeriesVolume(affine, (columns, rows, slices), tuple(members[index].number for index in in_order[start::count]))
        for start in range(count)
    ]


def _check_spacing(corners: np.ndarray, step: np.ndarray, normal: np.ndarray, pixel: float) -> None:
    """Refuse gaps, and slices that are shifted against each other."""
    distance = float(step @ normal)
    off = corners - corners[0]
    along = float(np.abs((off - np.arange(len(corners))[:, None] * step) @ normal).max())
    if along > TOLERANCE * distance:
        raise ValueError(
            f"the slices are not evenly spaced (off by up to {along:.3g} mm of {distance:.3g} mm): "
            "some are missing or doubled."
        )
    if np.abs(off - np.outer(off @ normal, normal)).max() > TOLERANCE * pixel:
        raise ValueError("the slices are shifted against each other (a tilted gantry): resample them first.")


def _by_number(headers: Sequence[Header], places: Sequence[int] | np.ndarray, volumes: int) -> list[int]:
    """Order of the files of several volumes by their instance numbers.

    Raises:
        ValueError: it is neither one volume after the other nor one place after the other: converters would mix them.
    """
    if headers[0].enhanced:
        raise ValueError("it has several volumes, and nothing says which slice belongs to which.")
    numbers = [header.number for header in headers if header.number is not None]
    if len(set(numbers)) == len(headers):
        order = np.argsort(numbers)
        one_by_one = np.asarray(places)[order].reshape(volumes, -1)
        interleaved = one_by_one.reshape(-1, volumes)
        if (one_by_one == one_by_one[0]).all() or (interleaved == interleaved[:, :1]).all():
            return [int(index) for index in order]
    raise ValueError("it has several volumes, and the instance numbers do not say which slice belongs to which.")
