# SPDX-License-Identifier: Apache-2.0
"""Slices of tissue classes from the label volumes of a cohort, all on one grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from monai.transforms import Compose, LoadImaged, Orientationd
from numpy.typing import NDArray
from tqdm import tqdm

from ..transforms.plane import plane_axcodes
from .brain_window import BrainWindowd
from .levels import slice_levels
from .resample_classes import ResampleClassesd
from .tissue_classes import TissueClassesd

__all__ = ["TissueSlices", "load_tissue_slices", "tissue_transforms"]

SPACING_MM = (4.0, 4.0, 4.0)
SIZE = (56, 48)
"""224 x 192 mm at 4 mm: every brain of 166 IXI heads fits, wherever it lies in its volume. Divisible by 8."""

MIN_AREA_MM2 = 1000.0
"""Smaller pieces of brain, the first and last two or three millimetres of a head, are left out."""


@dataclass(frozen=True)
class TissueSlices:
    """Slices of tissue classes of several heads, in the order of the heads, each from its lowest slice to its highest.

    Attributes:
        classes: values of :class:`scripts.attributes.Tissue`, ``(N, H, W)`` uint8; axial: rows from anterior to
            posterior, columns from the subject's right to left.
        level: position along the brain's extent in the head, 0 = its lowest end, 1 = its highest, ``(N,)``.
        subject: ``(N,)`` names.
        index: number of the slice in the cropped volume, ``(N,)``.
        spacing_mm: height and width of a pixel.
    """

    classes: NDArray[np.uint8]
    level: NDArray[np.float64]
    subject: NDArray[np.str_]
    index: NDArray[np.int64]
    spacing_mm: tuple[float, float]

    def __len__(self) -> int:
        return len(self.classes)

    def volumes(self) -> list[NDArray[np.int64]]:
        """The rows of each head, lowest slice first."""
        starts = np.flatnonzero(np.r_[True, self.subject[1:] != self.subject[:-1]])
        return np.split(np.arange(len(self)), starts[1:])


def tissue_transforms(
    plane: str = "axial",
    spacing_mm: Sequence[float] = SPACING_MM,
    size: Sequence[int] = SIZE,
    centre: str = "frame",
) -> Compose:
    """From a file of region labels to a volume of tissue classes whose slices all have the same grid.

    Region labels become tissue classes on a grid of the given spacing, cropped to the brain along the slice axis.

    Args:
        plane: "axial", "coronal" or "sagittal".
        spacing_mm: pixel height, pixel width, slice distance.
        size: rows and columns.
        centre: "frame" or "brain", see :class:`scripts.attributes.brain_window.BrainWindowd`.

    Returns:
        A transform of ``{"label": path}``: ``label`` becomes ``(1, H, W, D)``, values of
        :class:`scripts.attributes.Tissue`.

    Raises:
        ValueError: ``plane`` or ``centre`` is unknown; when applied: labels that are not in the table, no brain, or one
            that does not fit into ``size``.
    """
    return Compose(
        [
            LoadImaged("label", ensure_channel_first=True),
            Orientationd("label", axcodes=plane_axcodes(plane), labels=None),
            TissueClassesd("label"),
            ResampleClassesd("label", spacing_mm),
            BrainWindowd("label", size, centre),
        ]
    )


def load_tissue_slices(
    items: Sequence[Mapping[str, Any]],
    plane: str = "axial",
    spacing_mm: Sequence[float] = SPACING_MM,
    size: Sequence[int] = SIZE,
    centre: str = "frame",
    min_area_mm2: float = MIN_AREA_MM2,
    progress: bool = True,
) -> TissueSlices:
    """Read the label volumes of a cohort as slices of tissue classes.

    Args:
        items: with ``subject`` and ``label`` (path), as :func:`scripts.data.cohort.load_datalist` gives them.
        plane: see :func:`tissue_transforms`.
        spacing_mm: see :func:`tissue_transforms`.
        size: see :func:`tissue_transforms`.
        centre: see :func:`tissue_transforms`.
        min_area_mm2: smallest brain area of a slice that is kept.
        progress: show a progress bar.

    Returns:
        The slices of all heads.

    Raises:
        ValueError: an item has no label file or one that cannot be used.
    """
    transform = tissue_transforms(plane, spacing_mm, size, centre)
    area = float(spacing_mm[0] * spacing_mm[1])
    parts = []
    for item in tqdm(items, "reading labels", unit="volume", disable=not progress):
        classes = _read(item, transform)
        brain_area = (classes > 0).sum((1, 2)) * area
        kept = np.flatnonzero(brain_area >= min_area_mm2)
        parts.append((classes[kept], slice_levels(len(classes))[kept], np.full(len(kept), item["subject"]), kept))
    classes, level, subject, index = (np.concatenate(values) for values in zip(*parts, strict=True))
    return TissueSlices(classes, level, subject, index, (float(spacing_mm[0]), float(spacing_mm[1])))


def _read(item: Mapping[str, Any], transform: Compose) -> NDArray[np.uint8]:
    """Tissue classes of one head, ``(D, H, W)``."""
    if "label" not in item:
        raise ValueError(
            f"subject {item['subject']} has no label file: tissue masks need region labels. Prepare the cohort from a "
            "folder that has them (python -m scripts.prepare --help)."
        )
    try:
        volume = transform({"label": item["label"]})["label"]
    except Exception as error:  # readers raise what they like: name the file
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ValueError(f"{item['label']} could not be used: {reason}") from error
    return np.ascontiguousarray(volume.numpy()[0].astype(np.uint8).transpose(2, 0, 1))
