# SPDX-License-Identifier: Apache-2.0
"""Anomaly maps: detectors, what their scores mean, and how well they find.

Read in this order: ``detector`` (the contract), ``classical`` and ``reconstruction`` (detectors), ``calibration``
(scores to p-values), ``clusters``, ``mapper`` (all together), ``evaluation``.
"""

from __future__ import annotations

from .calibration import Calibration, HealthyScores
from .classical import DifferenceOfGaussians, EqualisedIntensity
from .combined import CombinedDetectors
from .detector import Detector, Head
from .mapper import AnomalyMap, AnomalyMapper
from .reconstruction import AnomalyUndoing, Reconstructing, ReconstructionResidual, SeveralReconstructions
from .template_deviation import TemplateDeviation
from .working_grid import GivenHead, WorkingGrid

__all__ = [
    "AnomalyMap", "AnomalyMapper", "AnomalyUndoing", "Calibration", "CombinedDetectors", "Detector",
    "DifferenceOfGaussians", "EqualisedIntensity", "GivenHead", "Head", "HealthyScores", "Reconstructing",
    "ReconstructionResidual", "SeveralReconstructions", "TemplateDeviation", "WorkingGrid",
]  # fmt: skip
