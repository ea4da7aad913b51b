# SPDX-License-Identifier: Apache-2.0
"""Dictionary transforms from a volume to network space and back to its original grid."""

from __future__ import annotations

from .check_memory import CheckMemoryd
from .check_volume import CheckVolumed, check_volume
from .domain import NoteDomaind
from .load_mask import LoadMaskd
from .load_volume import LoadVolumed
from .plane import PLANE_AXCODES, OrientToPlaned, plane_axcodes
from .restore_on_input_grid import RestoreOnInputGridd
from .save_dicom import SaveDicomd
from .save_filled import SaveFilledd, filled_image
from .save_restored import SaveRestoredd
from .slice_phases import SpacingOnlyd, SplitSlicePhasesd, join_phases, split_phases
from .thesis_slices import ThesisSlicesd, thesis_slices
from .volume_scale import ScaleIntensityByVolumePercentiled

__all__ = [
    "PLANE_AXCODES", "CheckMemoryd", "CheckVolumed", "LoadMaskd", "LoadVolumed", "NoteDomaind", "OrientToPlaned",
    "RestoreOnInputGridd", "SaveDicomd", "SaveFilledd", "SaveRestoredd", "ScaleIntensityByVolumePercentiled",
    "SpacingOnlyd", "SplitSlicePhasesd", "ThesisSlicesd", "check_volume", "filled_image", "join_phases",
    "plane_axcodes", "split_phases", "thesis_slices",
]  # fmt: skip
