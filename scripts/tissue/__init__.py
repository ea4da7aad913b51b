# SPDX-License-Identifier: Apache-2.0
"""Tissue masks from region labels, and what one measures on their slices.

FOLDED: Which tissue masks look like a brain, and how one that does not is corrected.
FOLDED: Whether the slices of a volume fit each other, and how those that do not are replaced.
"""

from __future__ import annotations

from .attributes import ATTRIBUTES, UNITS, SliceAttributesd, attribute_table, slice_attributes
from .bounds import AnatomicalCriteria, LevelBounds
from .classes import MUSE_TISSUES, TISSUES, Tissue, TissueClassesd, tissue_classes
from .correction import Correction, ValidBank, correct_masks
from .criteria import CRITERIA, measure_criteria
from .damage import DAMAGES, damage_masks
from .least_change import least_change
from .slices import TissueSlices, load_tissue_slices, slice_levels, tissue_transforms
from .through_plane.correction import VolumeCorrection, correct_sequence, correct_volume
from .through_plane.interpolation import interpolate_shapes, smooth_signal
from .through_plane.thresholds import CONSISTENCY_ATTRIBUTES, ConsistencyThresholds, inconsistency
from .transforms import AnatomicalCriteriad, AnatomicalValidityMetric

__all__ = [
    "ATTRIBUTES",
    "CONSISTENCY_ATTRIBUTES",
    "CRITERIA",
    "DAMAGES",
    "MUSE_TISSUES",
    "TISSUES",
    "UNITS",
    "AnatomicalCriteria",
    "AnatomicalCriteriad",
    "AnatomicalValidityMetric",
    "ConsistencyThresholds",
    "Correction",
    "LevelBounds",
    "SliceAttributesd",
    "Tissue",
    "TissueClassesd",
    "TissueSlices",
    "ValidBank",
    "VolumeCorrection",
    "attribute_table",
    "correct_masks",
    "correct_sequence",
    "correct_volume",
    "damage_masks",
    "inconsistency",
    "interpolate_shapes",
    "least_change",
    "load_tissue_slices",
    "measure_criteria",
    "slice_attributes",
    "slice_levels",
    "smooth_signal",
    "tissue_classes",
    "tissue_transforms",
]
