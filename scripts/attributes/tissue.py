# SPDX-License-Identifier: Apache-2.0
"""The tissue classes of a mask, and the region labels that belong to each."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["MUSE_TISSUES", "Tissue"]


class Tissue(IntEnum):
    """Class of a pixel. What is above zero is brain (the total brain, composite 701, of the MUSE table)."""

    BACKGROUND = 0  # air, skull, and the fluid of sulci and cisterns
    VENTRICLE = 1
    GREY = 2  # cortex, deep nuclei, cerebellar cortex
    WHITE = 3  # with the brainstem


MUSE_TISSUES: dict[Tissue, tuple[int, ...]] = {
    Tissue.BACKGROUND: (0, 1, 46),
    Tissue.VENTRICLE: (4, 11, 49, 50, 51, 52),
    Tissue.GREY: (
        *(23, 30, 31, 32, 36, 37, 38, 39, 47, 48, *range(55, 61), 71, 72, 73, 75, 76),
        *(*range(100, 110), *range(112, 126), 128, 129, *range(132, 158), *range(160, 188), *range(190, 208)),
    ),
    Tissue.WHITE: (35, 40, 41, 61, 62, 69, *range(81, 96)),
}
"""Region labels of MUSE and DLMUSE for each class.

Source: ``MUSE_mapping_derivedROIs.csv`` in CBICA's NiChart_Project, composites 509 (ventricles), 601 (grey matter) and
604 (white matter). It gives brainstem (35) and optic chiasm (69) to neither: here they are white, as they mostly are in
a T1-weighted image. 1 and 46 are fluid outside the ventricles.
"""
