# SPDX-License-Identifier: Apache-2.0
"""What MONAI's trainer and evaluator are given: damaged batches and a network set up for its device."""

from __future__ import annotations

from .accelerate import accelerate, bfloat16_pays
from .attribute_batch import AttributeBatch
from .corrupt_batch import CorruptBatch
from .fold_batch_norm import fold_batch_norm
from .keep_freed_memory import keep_freed_memory
from .label_batch import LabelBatch

__all__ = [
    "AttributeBatch",
    "CorruptBatch",
    "LabelBatch",
    "accelerate",
    "bfloat16_pays",
    "fold_batch_norm",
    "keep_freed_memory",
]
