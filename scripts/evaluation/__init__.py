# SPDX-License-Identifier: Apache-2.0
"""Score a trained network on the task it trains, beside what it has to beat, subject by subject.

Read in this order: ``kinds`` and ``conditions`` (the damage), ``subjects`` (what is scored where), ``step`` (one
subject), ``tables`` and ``statistics`` (over subjects).
"""

from .conditions import Condition, make_conditions
from .kinds import KINDS, SEVERITIES
from .methods import NetworkMethod, make_methods, published_networks, trained_network
from .statistics import bootstrap_interval
from .step import ConditionProgress, RestoreAndMeasure
from .subjects import SubjectDataset, SubjectSlices, subject_slices
from .tables import ResultTables, summarise

__all__ = [
    "KINDS", "SEVERITIES", "Condition", "ConditionProgress", "NetworkMethod", "RestoreAndMeasure", "ResultTables",
    "SubjectDataset", "SubjectSlices", "bootstrap_interval", "make_conditions", "make_methods", "published_networks",
    "subject_slices", "summarise", "trained_network",
]  # fmt: skip
