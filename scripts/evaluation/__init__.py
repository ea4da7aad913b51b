# SPDX-License-Identifier: Apache-2.0
"""Score a trained network on the task it trains, beside what it has to beat, subject by subject.

Read in this order: ``conditions`` (the damage), ``subject_slices`` (what is scored where), ``restore_and_measure`` (one
subject), ``summary`` (statistics over subjects).
"""

from .conditions import KINDS, SEVERITIES, Condition, make_conditions
from .methods import Method, make_methods
from .network_method import NetworkMethod, published_networks, trained_network
from .progress import ConditionProgress, EvaluationEvents
from .provenance import provenance, split_hash
from .restore_and_measure import RestoreAndMeasure
from .subject_dataset import SubjectDataset
from .subject_slices import SubjectSlices, subject_slices
from .summary import bootstrap_interval, summarise
from .tables import ResultTables

__all__ = [
    "KINDS",
    "SEVERITIES",
    "Condition",
    "ConditionProgress",
    "EvaluationEvents",
    "Method",
    "NetworkMethod",
    "RestoreAndMeasure",
    "ResultTables",
    "SubjectDataset",
    "SubjectSlices",
    "bootstrap_interval",
    "make_conditions",
    "make_methods",
    "provenance",
    "published_networks",
    "split_hash",
    "subject_slices",
    "summarise",
    "trained_network",
]
