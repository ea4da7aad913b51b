# SPDX-License-Identifier: Apache-2.0
"""Slices of tissue classes from the label volumes of a cohort, all on one grid.

The level of a slice is its position along the brain of its head, from 0 at the lowest end to 1 at the highest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from monai.transforms import Compose, Orientationd, ResampleToMatchd
from monai.utils import optional_import
from numpy.typing import ArrayLike, NDArray

from ..data.cohort import load_datalist
from ..transforms.load_volume import LoadVolumed
from ..transforms.plane import plane_axcodes
from ..transforms.volume_scale import ScaleIntensityByVolumePercentiled
from .classes import TissueClassesd
from .grid import BrainWindowd, ResampleClassesd

tqdm, _ = optional_import("tqdm", name="tqdm")

__all__ = [
    "LEVELS", "TissueSlices", "level_windows", "load_tissue_slices", "slice_levels", "tissue_transforms",
    "whole_brain_slices",
]  # fmt: skip

FRAME_MM = (224.0, 192.0)
"""Height and width of a slice: every brain of 166 IXI heads fits, wherever it lies in its volume."""
SPACING_MM = (4.0, 4.0, 4.0)
SIZE = (56, 48)
"""Pixels of ``FRAME_MM`` at 4 mm, divisible by 8."""
MIN_AREA_MM2 = 1000.0
"""Smallest area of brain in a slice; it leaves out the first and last two or three millimetres of a head."""
LEVELS = np.linspace(0.05, 0.95, 19)
"""Levels at which what is learned along the brain is stored; interpolated in between, constant beyond."""
HALF_WINDOW = 0.05


def slice_levels(count: int) -> NDArray[np.float64]:
    """Level of each of the ``count`` slices of a brain: the middle of the slice as a share of the brain's extent.

    Example:
        >>> slice_levels(4).tolist()
        [0.125, 0.375, 0.625, 0.875]
    """
    return (np.arange(count) + 0.5) / count


def level_windows(level: ArrayLike, whole_heads: bool = True) -> list[NDArray[np.intp]]:
    """Slices that lie near each of :data:`LEVELS`, up to 0.05 to either side.

    Args:
        level: level of each slice, ``(N,)``.
        whole_heads: whether the slices are those of whole heads. If not, because small slices at the ends were left
            out, a level without slices gets those of the nearest level that has some.

    Returns:
        Indices of the slices for each of the 19 levels.

    Raises:
        ValueError: there are no slices near some level, or none at all.
    """
    levels = np.asarray(level, dtype=np.float64)
    windows = [np.flatnonzero(np.abs(levels - centre) <= HALF_WINDOW) for centre in LEVELS]
    if not whole_heads and any(map(len, windows)):
        filled = np.flatnonzero([len(window) for window in windows])
        return [windows[filled[np.abs(filled - position).argmin()]] for position in range(len(windows))]
    if empty := [f"{centre:.2f}" for centre, window in zip(LEVELS, windows, strict=True) if not len(window)]:
        raise ValueError(f"no slices near the levels {', '.join(empty)}: learning needs the slices of whole heads.")
    return windows


@dataclass(frozen=True)
class TissueSlices:
    """Slices of tissue classes of several heads, head by head, each from its lowest slice to its highest.

    Attributes:
        classes: tissue masks, values of :class:`scripts.tissue.Tissue`, ``(N, H, W)`` uint8; axial ones have rows from
            anterior to posterior and columns from the subject's right to left.
        level: position of each slice along its brain, 0 = lowest end, 1 = highest, ``(N,)``.
        subject: subject of each slice, ``(N,)``.
        index: index of each slice in the cropped volume, ``(N,)``.
        spacing_mm: height and width of a pixel.
        images: the same slices of the T1-weighted images, ``(N, H, W)`` float32, 1 = the 99.5th percentile of the
            volume; None unless requested.
    """

    classes: NDArray[np.uint8]
    level: NDArray[np.float64]
    subject: NDArray[np.str_]
    index: NDArray[np.int64]
    spacing_mm: tuple[float, float]
    images: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.classes)

    def volumes(self) -> list[NDArray[np.int64]]:
        """Indices of the slices of each head, the lowest slice first."""
        starts = np.flatnonzero(np.r_[True, self.subject[1:] != self.subject[:-1]])
        return np.split(np.arange(len(self)), starts[1:])


def tissue_transforms(
    plane: str = "axial",
    spacing_mm: Sequence[float] = SPACING_MM,
    size: Sequence[int] = SIZE,
    centre: str = "frame",
    images: bool = False,
) -> Compose:
    """Transforms from a file of region labels to a volume of tissue classes whose slices have a common grid.

    Region labels become tissue classes on a grid of the given spacing, cropped to the brain along the slice axis. The
    T1-weighted image is resampled to the same grid by linear interpolation: at twice the spacing, to the mean of eight
    voxels.

    Args:
        plane: "axial", "coronal" or "sagittal".
        spacing_mm: pixel height, pixel width and slice distance.
        size: number of rows and columns.
        centre: "frame" or "brain", see :class:`scripts.tissue.grid.BrainWindowd`.
        images: whether to transform ``image``, the path of the T1-weighted image, too.

    Returns:
        A transform of ``{"label": path}``: ``label`` becomes ``(1, H, W, D)`` with values of
        :class:`scripts.tissue.Tissue`; ``image`` has the same grid, and 1 is its 99.5th percentile.

    Raises:
        ValueError: ``plane`` or ``centre`` is unknown; when applied: a label is not in the table, there is no brain, or
            it does not fit into ``size``.
    """
    of_labels = [
        LoadVolumed("label"),
        Orientationd("label", axcodes=plane_axcodes(plane), labels=None),
        TissueClassesd("label"),
        ResampleClassesd("label", spacing_mm),
        BrainWindowd("label", size, centre),
    ]
    of_images = [
        LoadVolumed("image"),
        ScaleIntensityByVolumePercentiled("image"),
        ResampleToMatchd("image", key_dst="label", mode="bilinear", padding_mode="zeros"),
    ]
    return Compose(of_labels + of_images * images)


def load_tissue_slices(
    items: Sequence[Mapping[str, Any]],
    plane: str = "axial",
    spacing_mm: Sequence[float] = SPACING_MM,
    size: Sequence[int] = SIZE,
    centre: str = "frame",
    min_area_mm2: float = MIN_AREA_MM2,
    progress: bool = True,
    images: bool = False,
) -> TissueSlices:
    """Read the label volumes of a cohort as slices of tissue classes.

    Args:
        items: items with ``subject`` and ``label`` (path), as :func:`scripts.data.cohort.load_datalist` gives them.
        plane: see :func:`tissue_transforms`.
        spacing_mm: see :func:`tissue_transforms`.
        size: see :func:`tissue_transforms`.
        centre: see :func:`tissue_transforms`.
        min_area_mm2: smallest brain area of a slice that is kept.
        progress: whether to show a progress bar.
        images: whether to read the T1-weighted images (``image``, a path) too.

    Returns:
        The slices of all heads.

    Raises:
        ValueError: an item has no label file, or a file is unusable.
    """
    transform = tissue_transforms(plane, spacing_mm, size, centre, images)
    area = float(spacing_mm[0] * spacing_mm[1])
    parts = []
    for item in tqdm(items, "reading labels", unit="volume", disable=not progress):
        volumes = _read(item, transform, ("label", "image") if images else ("label",))
        classes = volumes["label"].astype(np.uint8)
        brain_area = (classes > 0).sum((1, 2)) * area
        kept = np.flatnonzero(brain_area >= min_area_mm2)
        levels, subjects = slice_levels(len(classes))[kept], np.full(len(kept), item["subject"])
        parts.append((classes[kept], levels, subjects, kept, *(volumes[key][kept] for key in ("image",) if images)))
    classes, level, subject, index, *of_images = (np.concatenate(values) for values in zip(*parts, strict=True))
    return TissueSlices(classes, level, subject, index, (float(spacing_mm[0]), float(spacing_mm[1])), *of_images)


def whole_brain_slices(dataset_dir: str, part: str, spacing_mm: float) -> TissueSlices:
    """Slices of the brains of a part of a cohort, each in a frame of ``FRAME_MM`` with pixels of ``spacing_mm``."""
    size = [math.ceil(extent / spacing_mm) for extent in FRAME_MM]
    return load_tissue_slices(load_datalist(dataset_dir, part), spacing_mm=(spacing_mm,) * 3, size=size, centre="brain")


def _read(item: Mapping[str, Any], transform: Compose, keys: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The volumes of a head, ``(D, H, W)`` each."""
    if "label" not in item:
        raise ValueError(
            f"subject {item['subject']} has no label file: tissue masks need region labels. Prepare the cohort from a "
            "folder that has them (python -m scripts prepare --help)."
        )
    try:
        volumes = transform({key: item[key] for key in keys})
    except Exception as error:  # readers raise what they like: name the file
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ValueError(f"{' or '.join(item[key] for key in keys)} could not be used: {reason}") from error
    return {key: np.ascontiguousarray(volumes[key].numpy()[0].transpose(2, 0, 1)) for key in keys}
