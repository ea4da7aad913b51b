# SPDX-License-Identifier: Apache-2.0
"""Which tissue masks look like a brain, and how one that does not is corrected."""

from __future__ import annotations

from .anatomical_criteria import AnatomicalCriteria
from .correction import Correction, correct_masks
from .criteria import CRITERIA, measure_criteria
from .criteria_transform import AnatomicalCriteriad
from .damage import DAMAGES, damage_masks
from .least_change import least_change
from .level_bounds import LevelBounds
from .valid_bank import ValidBank
from .validity_metric import AnatomicalValidityMetric

__all__ = [
    "CRITERIA",
    "DAMAGES",
    "AnatomicalCriteria",
    "AnatomicalCriteriad",
    "AnatomicalValidityMetric",
    "Correction",
    "LevelBounds",
    "ValidBank",
    "correct_masks",
    "damage_masks",
    "least_change",
    "measure_criteria",
]
