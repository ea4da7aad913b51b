# SPDX-License-Identifier: Apache-2.0
"""Numberings of brain regions that are known by name, and which one a label file has.

A file is recognised by the values in it: all of them belong to the numbering, and grey and white matter of both sides
are there. So the labels of a tumour (1, 2, 3 or 4), which other numberings use for other things, are never taken for
a brain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["FREESURFER", "MUSE", "LabelSet", "known_label_sets", "label_values", "recognised_labels"]


@dataclass(frozen=True)
class LabelSet:
    """A numbering of brain regions."""

    name: str
    fluid: frozenset[int]
    """Fluid outside the ventricles."""
    ventricle: frozenset[int]
    grey: frozenset[int]
    white: frozenset[int]
    evidence: tuple[frozenset[int], ...]
    """Groups of labels each of which has a member in every brain."""
    outside: frozenset[int] = frozenset()
    """Labels that are no brain: the fluid around it, which some programs label up to the skull."""

    @property
    def values(self) -> frozenset[int]:
        """All labels, 0 excluded."""
        return self.fluid | self.ventricle | self.grey | self.white


def _numbers(text: str) -> frozenset[int]:
    """Numbers and ranges, both ends included: ``"2 7 251-255"``."""
    bounds = [[int(number) for number in part.split("-")] for part in text.split()]
    return frozenset(number for ends in bounds for number in range(ends[0], ends[-1] + 1))


_MUSE_GREY = _numbers(
    "23 30-32 36-39 47 48 55-60 71-73 75 76 100-109 112-125 128 129 132-157 160-187 190-207",
)
_MUSE_WHITE = _numbers("35 40 41 61 62 69 81-95")

MUSE = LabelSet(
    name="MUSE and DLMUSE",
    fluid=_numbers("1 46"),
    ventricle=_numbers("4 11 49-52"),
    grey=_MUSE_GREY,
    white=_MUSE_WHITE,
    evidence=(_MUSE_GREY, _MUSE_WHITE),
)
"""Source: ``MUSE_mapping_derivedROIs.csv`` in CBICA's NiChart_Project, composites 509 (ventricles), 601 (grey matter)
and 604 (white matter). It assigns brainstem (35) and optic chiasm (69) to neither: here they are white matter, which
they resemble in a T1-weighted image. 1 and 46 are fluid outside the ventricles."""

_LEFT_CORTEX = _numbers("3 1000-1035 11100-11175")
_RIGHT_CORTEX = _numbers("42 2000-2035 12100-12175")

FREESURFER = LabelSet(
    name="FreeSurfer, FastSurfer and SynthSeg",
    fluid=_numbers("24"),
    ventricle=_numbers("4 5 14 15 31 43 44 63 72"),
    grey=_LEFT_CORTEX | _RIGHT_CORTEX | _numbers("8 10-13 17 18 26 30 47 49-54 58 62 80-82"),
    white=_numbers("2 7 16 28 41 46 60 77-79 85 251-255 3000-3035 4000-4035 5001 5002"),
    evidence=(_numbers("2 3000-3035"), _numbers("41 4000-4035"), _LEFT_CORTEX, _RIGHT_CORTEX),
    outside=_numbers("24"),
)
"""``FreeSurferColorLUT.txt``: aseg, aparc+aseg, aparc.a2009s+aseg and wmparc; FastSurfer and SynthSeg use the same
numbers. As in :data:`MUSE`, the ventral diencephalon (28, 60), brainstem (16) and optic chiasm (85) are white matter,
and the choroid plexus (31, 63) belongs to the ventricles. 24 is fluid outside the brain, which SynthSeg labels up to
the skull."""

LABEL_SETS = (MUSE, FREESURFER)


def known_label_sets() -> str:
    """The names of all numberings, for a message."""
    return ", ".join(one.name for one in LABEL_SETS)


def recognised_labels(values: Iterable[float]) -> LabelSet | None:
    """The numbering to which the values of a file belong.

    Args:
        values: the values that occur in it; 0 does not count.

    Returns:
        The numbering; ``None`` if it is none of those known here.

    Example:
        >>> recognised_labels([0, 2, 3, 41, 42]).name, recognised_labels([0, 1, 2, 4])
        ('FreeSurfer, FastSurfer and SynthSeg', None)
    """
    present = set(values) - {0}
    for known in LABEL_SETS:
        if present <= known.values and all(present & group for group in known.evidence):
            return known
    return None


def label_values(labels: NDArray[np.generic]) -> NDArray[np.float64]:
    """The different values in a volume, in ascending order; faster than ``np.unique`` where they are labels."""
    array = np.asarray(labels)
    lowest, highest = array.min(), array.max()
    if lowest >= 0 and highest < 2**16:
        whole = array.astype(np.uint16)
        if np.array_equal(whole, array):
            return np.flatnonzero(np.bincount(whole.ravel())).astype(np.float64)
    return np.unique(array).astype(np.float64)
