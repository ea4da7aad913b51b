# SPDX-License-Identifier: Apache-2.0
"""``tissue criteria learn | check`` and ``tissue consistency learn``."""

from __future__ import annotations

from typing import Literal

from .front import say

__all__ = ["COMMAND", "check_criteria", "learn_consistency", "learn_criteria"]


def learn_criteria(
    dataset_dir: str = "", path: str = "eval/criteria.json", *, spacing_mm: float = 4.0, tail_percent: float = 0.2
) -> None:
    """Learn the bounds of the fourteen anatomical criteria from the region labels of the training heads of a cohort.

    Args:
        path: JSON file to write.
        spacing_mm: spacing of the grid on which masks will be judged.
        tail_percent: share of the training slices beyond each bound; 1 means from the 1st to the 99th percentile.
    """
    from ..data.cohort import load_datalist
    from ..tissue import AnatomicalCriteria, load_tissue_slices

    slices = load_tissue_slices(load_datalist(dataset_dir, "training"), spacing_mm=(spacing_mm,) * 3)
    AnatomicalCriteria.learn(slices, tail_percent).save(path)
    say(f"wrote {path}: bounds from {len(slices)} slices of {len(slices.volumes())} heads")


def check_criteria(
    dataset_dir: str = "", path: str = "eval/criteria.json", *, part: Literal["training", "validation", "test"] = "test"
) -> None:
    """Say how many label slices of a cohort meet the anatomical criteria.

    Args:
        path: JSON file that tissue criteria learn wrote.
        part: part of the cohort.
    """
    from ..data.cohort import load_datalist
    from ..tissue import AnatomicalCriteria, load_tissue_slices

    criteria = AnatomicalCriteria.load(path)
    spacing_mm = (*criteria.spacing_mm, criteria.spacing_mm[0])
    slices = load_tissue_slices(load_datalist(dataset_dir, part), spacing_mm=spacing_mm)
    say(f"{part}: {len(slices)} slices of {len(slices.volumes())} heads")
    say("\n".join(f"  {name:22s}{share:6.1%}" for name, share in criteria.shares(slices).items()))


def learn_consistency(
    dataset_dir: str = "",
    path: str = "eval/consistency.json",
    *,
    spacing_mm: float = 4.0,
    false_alarm_percent: float = 1.0,
) -> None:
    """Learn from the region labels of the training heads how much neighbouring slices differ.

    Args:
        path: JSON file to write.
        spacing_mm: size of the pixels and distance of the slices.
        false_alarm_percent: share of healthy slices that are flagged.
    """
    from ..tissue import ConsistencyThresholds
    from ..tissue.slices import whole_brain_slices

    slices = whole_brain_slices(dataset_dir, "training", spacing_mm)
    ConsistencyThresholds.learn(slices, spacing_mm, false_alarm_percent=false_alarm_percent).save(path)
    say(f"wrote {path}: thresholds from {len(slices)} slices of {len(slices.volumes())} heads")


COMMAND = {"criteria": {"learn": learn_criteria, "check": check_criteria}, "consistency": {"learn": learn_consistency}}
