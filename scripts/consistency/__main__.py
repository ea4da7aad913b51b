# SPDX-License-Identifier: Apache-2.0
"""Learn and test through-plane thresholds: ``python -m scripts.consistency learn|check --dataset_dir DATA``."""

from __future__ import annotations

import logging
import math
import sys

import fire
import pandas as pd

from ..attributes.tissue_slices import SPACING_MM, TissueSlices, load_tissue_slices
from ..data.cohort import load_datalist
from ..errors import clean_exit
from .consistency_thresholds import FALSE_ALARM_PERCENT, ConsistencyThresholds
from .detection import false_alarms, trials

__all__ = ["check", "learn"]

FRAME_MM = (224.0, 192.0)


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
        dataset_dir: folder of dataset.json (python -m scripts.prepare), with labels.
        spacing_mm: of pixels and slices.
        false_alarm_percent: share of healthy slices that are flagged.
    """
    slices = _slices(dataset_dir, "training", spacing_mm)
    thresholds = ConsistencyThresholds.learn(slices, spacing_mm, false_alarm_percent=false_alarm_percent)
    thresholds.save(path)
    _say(f"wrote {path}: thresholds from {len(slices)} slices of {len(slices.volumes())} heads")


@clean_exit()
def check(
    path: str = "eval/consistency.json", dataset_dir: str = "", part: str = "test", per_head: int = 4, seed: int = 0
) -> None:
    """Say how many healthy slices are flagged, and how many of the slices that were replaced on purpose are found.

    Args:
        path: JSON file that "learn" wrote.
        dataset_dir: folder of dataset.json (python -m scripts.prepare), with labels.
        part: "validation" or "test".
        per_head: slices of each head that are replaced, one at a time.
        seed: of their choice.
    """
    if not isinstance(per_head, int) or per_head < 1:
        raise ValueError(f"--per_head must be a whole number of at least 1, got {per_head!r}.")
    thresholds = ConsistencyThresholds.load(path)
    slices, donors = (_slices(dataset_dir, name, thresholds.spacing_mm[2]) for name in (part, "training"))
    alarms = false_alarms(slices, thresholds)
    _say(f"{part}: {alarms.slices} healthy slices of {len(slices.volumes())} heads")
    _say(f"  flagged {100 * alarms.flagged:.2f} %, found to be wrong {100 * alarms.found:.2f} %")
    table = pd.DataFrame(
        [
            (trial.jump, trial.found[trial.place.position], trial.found.sum() - trial.found[trial.place.position])
            for trial in trials(slices, donors, thresholds, per_head, seed)
        ],
        columns=["jump", "found", "others"],
    )
    _say(table.groupby("jump", sort=False).mean().round(3).to_string())


def _slices(dataset_dir: str, part: str, spacing_mm: float) -> TissueSlices:
    size = [math.ceil(extent / spacing_mm) for extent in FRAME_MM]
    return load_tissue_slices(load_datalist(dataset_dir, part), spacing_mm=(spacing_mm,) * 3, size=size, centre="brain")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    logging.getLogger("monai").setLevel(logging.ERROR)
    fire.Fire({"learn": learn, "check": check})
