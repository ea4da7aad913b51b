# SPDX-License-Identifier: Apache-2.0
"""Handlers for the trainer that MONAI and ignite lack: exact resuming, plain records and pictures."""

from __future__ import annotations

from .checkpoints import BestModel, BroadcastBuffers, EpochSeed, ResumeCheckpoint
from .history import History, Progress
from .image_panel import ImagePanel
from .latent_statistics import LatentStatistics
from .output import ItemOutput
from .schedule import EarlyStop, LrScheduleByStep, RegularValidation, TimedSchedule, reference

__all__ = [
    "BestModel",
    "BroadcastBuffers",
    "EarlyStop",
    "EpochSeed",
    "History",
    "ImagePanel",
    "ItemOutput",
    "LatentStatistics",
    "LrScheduleByStep",
    "Progress",
    "RegularValidation",
    "ResumeCheckpoint",
    "TimedSchedule",
    "reference",
]  # fmt: skip
