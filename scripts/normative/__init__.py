# SPDX-License-Identifier: Apache-2.0
"""Normative charts: the place of a head among others of its age and sex."""

from __future__ import annotations

from .calibration import calibration_table, held_out_percentiles
from .chart import LocationScale, NormativeChart
from .measures import MEASURES, Measure, head_measures, measure_heads

__all__ = [
    "MEASURES", "LocationScale", "Measure", "NormativeChart", "calibration_table", "head_measures",
    "held_out_percentiles", "measure_heads",
]  # fmt: skip
