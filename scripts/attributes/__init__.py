# SPDX-License-Identifier: Apache-2.0
"""Tissue masks from region labels, and what one measures on their slices."""

from __future__ import annotations

from .levels import slice_levels
from .slice_attributes import ATTRIBUTES, UNITS, SliceAttributesd, attribute_table, slice_attributes
from .tissue import MUSE_TISSUES, Tissue
from .tissue_classes import TissueClassesd, tissue_classes
from .tissue_slices import TissueSlices, load_tissue_slices, tissue_transforms

__all__ = [
    "ATTRIBUTES",
    "MUSE_TISSUES",
    "UNITS",
    "SliceAttributesd",
    "Tissue",
    "TissueClassesd",
    "TissueSlices",
    "attribute_table",
    "load_tissue_slices",
    "slice_attributes",
    "slice_levels",
    "tissue_classes",
    "tissue_transforms",
]
