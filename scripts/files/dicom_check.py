# SPDX-License-Identifier: Apache-2.0
"""Whether a converter has made of a DICOM series what its headers say: each voxel, and where it lies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from .dicom_headers import Frame, Header
from .dicom_volumes import TOLERANCE, SeriesVolume

__all__ = ["confirmed"]

FROM_BOTTOM = np.array([[0, 1], [1, -1], [2, 1]])
"""dcm2niix begins with the last row."""


def confirmed(
    files: Sequence[Path], headers: Sequence[Header], expected: Sequence[SeriesVolume]
) -> list[nib.Nifti1Image]:
    """Read converted files.

    Args:
        files: NIfTI files.
        headers: of the DICOM files.
        expected: volumes of the series, from :func:`~scripts.files.dicom_volumes.volumes_of`.

    Returns:
        The volumes, in the expected order and on the expected grids, with nothing else in their headers: a converter
        leaves dates there.

    Raises:
        ValueError: they are not those of the series.
    """
    given = [volume for file in files for volume in _read(file)]
    if len(given) != len(expected):
        raise ValueError(f"it has {len(expected)} volumes by its headers, {len(given)} by its converter.")
    frames = _Frames(headers)
    return [_found(volume, given, frames) for volume in expected]


def _read(file: Path) -> Iterator[tuple[nib.Nifti1Image, float, float]]:
    """The volumes of a file as stored, with slope and intercept."""
    image: Any = nib.load(file)
    stored = image.dataobj.get_unscaled()
    if stored.ndim < 3 or stored.ndim > 4:
        raise ValueError(f"it is converted to {stored.ndim} axes {stored.shape}: these are no volumes.")
    for voxels in np.moveaxis(stored[..., None] if stored.ndim == 3 else stored, 3, 0):
        yield nib.Nifti1Image(voxels, image.affine), image.dataobj.slope, image.dataobj.inter


def _found(
    expected: SeriesVolume, given: list[tuple[nib.Nifti1Image, float, float]], frames: _Frames
) -> nib.Nifti1Image:
    """Take one of the volumes that are left."""
    reason = "its slices do not lie where the headers say after conversion."
    for place, (image, slope, intercept) in enumerate(given):
        turned = _on_grid(image, expected)
        if turned is None:
            continue
        stored = np.asarray(turned.dataobj)
        if expected.affine is None or frames.hold(stored, slope, intercept, expected.slices):
            given.pop(place)
            scaled = stored if (slope, intercept) == (1, 0) else (stored * slope + intercept).astype(np.float32)
            return nib.Nifti1Image(scaled, turned.affine)
        reason = "its voxels are not those of its files after conversion: a header is damaged or contradicts itself."
    raise ValueError(reason)


def _on_grid(image: nib.Nifti1Image, expected: SeriesVolume) -> nib.Nifti1Image | None:
    """The image with its axes turned to those that are expected; None where it lies elsewhere.

    The affine is that of the headers: converters take the distance of the first two slices, rounded, for that of all.
    """
    if expected.affine is None:
        return image.as_reoriented(FROM_BOTTOM)
    wanted, given = (nib.io_orientation(affine) for affine in (expected.affine, image.affine))
    turned = image.as_reoriented(nib.orientations.ornt_transform(given, wanted))
    off = np.linalg.norm((turned.affine - expected.affine)[:3], axis=0)
    sizes = nib.affines.voxel_sizes(expected.affine)
    off[2] *= expected.shape[2] > 1  # a single slice has no distance
    if turned.shape != expected.shape or (off[:3] > TOLERANCE * sizes).any() or off[3] > sizes.min() / 2:
        return None
    return nib.Nifti1Image(turned.dataobj, expected.affine)


class _Frames:
    """The pixels in the files of a series, without converter."""

    def __init__(self, headers: Sequence[Header]) -> None:
        self.of: list[tuple[Header, Frame, int]] = [
            (header, frame, number) for header in headers for number, frame in enumerate(header.frames)
        ]
        self.pixels = lru_cache(maxsize=1)(_pixels)
        self.several = len({frame.label for _, frame, _ in self.of}) > 1 and headers[0].enhanced

    def hold(self, stored: np.ndarray, slope: float, intercept: float, slices: Sequence[int]) -> bool:
        """Whether the slices of a volume are these frames."""
        return all(self._holds(stored[:, :, k].T, slope, intercept, *self.of[index]) for k, index in enumerate(slices))

    def _holds(
        self, stored: np.ndarray, slope: float, intercept: float, header: Header, frame: Frame, number: int
    ) -> bool:
        same_scale = np.allclose((slope, intercept), (frame.slope, frame.intercept), rtol=1e-6)
        if same_scale and not (header.enhanced or header.compressed) and stored.tobytes() in header.file.read_bytes():
            return True
        pixels = self.pixels(header.file, header.size[1::-1])
        if pixels is None:
            if self.several and header.compressed:
                raise ValueError("it has several volumes in a compressed file: decompress it, with gdcmconv --raw.")
            return header.compressed or not find_spec("pydicom")  # its place is confirmed, no second reader is there
        expected = pixels[number] * frame.slope + frame.intercept
        near = 1e-5 * max(1.0, float(np.abs(expected).max()))
        return stored.shape == expected.shape and np.allclose(stored * slope + intercept, expected, rtol=0, atol=near)


def _pixels(file: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """The frames of a file as stored, ``(frames, rows, columns)``; None where pydicom cannot decode them."""
    try:
        from pydicom import dcmread

        return dcmread(file, force=True).pixel_array.reshape(-1, *shape)
    except Exception:  # it is missing, the file is damaged, or it needs a plugin for the compression
        return None
