# SPDX-License-Identifier: Apache-2.0
"""Handlers for the trainer: what MONAI and ignite lack for exact resuming, plain records and pictures."""

from __future__ import annotations

from .best_model import BestModel
from .broadcast_buffers import BroadcastBuffers
from .defined import defined
from .early_stop import EarlyStop
from .epoch_seed import EpochSeed
from .history import History
from .image_panel import ImagePanel
from .latent_statistics import LatentStatistics
from .lr_schedule_by_step import LrScheduleByStep
from .progress import Progress
from .resume_checkpoint import ResumeCheckpoint

__all__ = [
    "BestModel",
    "BroadcastBuffers",
    "EarlyStop",
    "EpochSeed",
    "History",
    "ImagePanel",
    "LatentStatistics",
    "LrScheduleByStep",
    "Progress",
    "ResumeCheckpoint",
    "defined",
]
