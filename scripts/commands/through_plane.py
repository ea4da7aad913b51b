# SPDX-License-Identifier: Apache-2.0
"""Learn and test through-plane thresholds: ``python -m scripts.tissue learn|check --dataset_dir DATA``."""

from __future__ import annotations

import logging
import sys

import fire

from ..files.errors import clean_exit
from ..tissue.slices import SPACING_MM, whole_brain_slices
from ..tissue.through_plane.thresholds import FALSE_ALARM_PERCENT, ConsistencyThresholds

__all__ = ["learn"]


@clean_exit()
def learn(
    path: str = "eval/consistency.json",
    dataset_dir: str = "",
    spacing_mm: float = SPACING_MM[0],
    false_alarm_percent: float = FALSE_ALARM_PERCENT,
) -> None:
    """Learn from the region labels of the training heads how much neighbouring slices differ.

    Args:
        path: JSON file to write.
        dataset_dir: folder of dataset.json (python -m scripts prepare), with labels.
        spacing_mm: of pixels and slices.
        false_alarm_percent: share of healthy slices that are flagged.
    """
    slices = whole_brain_slices(dataset_dir, "training", spacing_mm)
    thresholds = ConsistencyThresholds.learn(slices, spacing_mm, false_alarm_percent=false_alarm_percent)
    thresholds.save(path)
    _say(f"wrote {path}: thresholds from {len(slices)} slices of {len(slices.volumes())} heads")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    logging.getLogger("monai").setLevel(logging.ERROR)
    fire.Fire({"learn": learn})
