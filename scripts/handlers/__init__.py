# SPDX-License-Identifier: Apache-2.0
"""Handlers for the trainer: what MONAI and ignite lack for exact resuming, plain records and pictures."""

from __future__ import annotations

from .checkpoints import BestModel, ResumeCheckpoint
from .history import History
from .image_panel import ImagePanel
from .latent_statistics import LatentStatistics
from .progress import Progress
from .reproducible import BroadcastBuffers, EpochSeed
from .schedule import EarlyStop, LrScheduleByStep, reference

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
    "reference",
]
