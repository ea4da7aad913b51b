# SPDX-License-Identifier: Apache-2.0
"""Tissue masks of brain slices: their attributes, what makes one plausible, and how an implausible one is corrected.

``classes`` and ``slices`` make masks from the region labels of a cohort, ``attributes`` measures them, ``criteria`` and
``bounds`` judge single slices, ``correction`` repairs them; ``through_plane`` does the same for the
sequence of slices that makes up a volume.
"""

from __future__ import annotations

from .attributes import ATTRIBUTES, UNITS, SliceAttributesd, attribute_table, slice_attributes
from .bounds import AnatomicalCriteria, LevelBounds
from .classes import MUSE_TISSUES, TISSUES, Tissue, TissueClassesd, tissue_classes
from .correction import Correction, ValidBank, correct_masks, least_change
from .criteria import CRITERIA, measure_criteria
from .damage import DAMAGES, damage_masks
from .slices import TissueSlices, load_tissue_slices, slice_levels, tissue_transforms
from .through_plane.correction import correct_sequence, correct_volume
from .through_plane.interpolation import interpolate_shapes, smooth_signal
from .through_plane.thresholds import ConsistencyThresholds, inconsistency

__all__ = [
    "ATTRIBUTES", "CRITERIA", "DAMAGES", "MUSE_TISSUES", "TISSUES", "UNITS", "AnatomicalCriteria",
    "ConsistencyThresholds", "Correction", "LevelBounds", "SliceAttributesd", "Tissue", "TissueClassesd",
    "TissueSlices", "ValidBank", "attribute_table", "correct_masks", "correct_sequence", "correct_volume",
    "damage_masks", "inconsistency", "interpolate_shapes", "least_change", "load_tissue_slices", "measure_criteria",
    "slice_attributes", "slice_levels", "smooth_signal", "tissue_classes", "tissue_transforms",
]  # fmt: skip
