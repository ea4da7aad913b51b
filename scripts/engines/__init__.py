# SPDX-License-Identifier: Apache-2.0
"""What MONAI's trainer and evaluator are given: damaged batches and a network set up for its device."""

from __future__ import annotations

from .acceleration import accelerate, bfloat16_pays, fold_batch_norm, keep_freed_memory
from .batches import AttributeBatch, CorruptBatch, LabelBatch, UndersampledBatch
from .heads import AnomalyBatch, BrainMaskBatch, RestorationBatch
from .steps import StepsPerBatch
from .variants import RandVariants

__all__ = [
    "AnomalyBatch", "AttributeBatch", "BrainMaskBatch", "CorruptBatch", "LabelBatch", "RandVariants",
    "RestorationBatch", "StepsPerBatch", "UndersampledBatch", "accelerate", "bfloat16_pays", "fold_batch_norm",
    "keep_freed_memory",
]  # fmt: skip
