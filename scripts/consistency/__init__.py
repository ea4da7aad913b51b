# SPDX-License-Identifier: Apache-2.0
"""Whether the slices of a volume fit each other, and how those that do not are replaced."""

from __future__ import annotations

from .consistency_thresholds import CONSISTENCY_ATTRIBUTES, ConsistencyThresholds
from .inconsistency import inconsistency
from .smoothing import smooth_signal

__all__ = ["CONSISTENCY_ATTRIBUTES", "ConsistencyThresholds", "inconsistency", "smooth_signal"]
