# SPDX-License-Identifier: Apache-2.0
"""Handlers for the trainer that MONAI and ignite lack: exact resuming, plain records and pictures."""

from __future__ import annotations

from .checkpoints import BestModel, BroadcastBuffers, EpochSeed, ResumeCheckpoint
from .history import History, Progress
from .image_panel import ImagePanel
from .latent_statistics import LatentStatistics
from .schedule import EarlyStop, LrScheduleByStep, TimedSchedule, reference

__all__ = [
    "BestModel", "BroadcastBuffers", "EarlyStop", "EpochSeed", "History", "ImagePanel", "LatentStatistics",
    "LrScheduleByStep", "Progress", "ResumeCheckpoint", "TimedSchedule", "reference",
]  # fmt: skip
