# SPDX-License-Identifier: Apache-2.0
"""Whether the slices of a volume fit each other, and how those that do not are replaced."""

from __future__ import annotations

from .consistency_thresholds import CONSISTENCY_ATTRIBUTES, ConsistencyThresholds
from .consistency_transform import ThroughPlaneConsistencyd
from .inconsistency import inconsistency
from .sequence_correction import correct_sequence
from .shape_interpolation import interpolate_shapes
from .smoothing import smooth_signal
from .volume_correction import VolumeCorrection, correct_volume

__all__ = [
    "CONSISTENCY_ATTRIBUTES",
    "ConsistencyThresholds",
    "ThroughPlaneConsistencyd",
    "VolumeCorrection",
    "correct_sequence",
    "correct_volume",
    "inconsistency",
    "interpolate_shapes",
    "smooth_signal",
]
