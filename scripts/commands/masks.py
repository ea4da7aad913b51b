# SPDX-License-Identifier: Apache-2.0
"""Learn and apply the bounds of plausible brains: ``python -m scripts.tissue learn|check --dataset_dir DATA``."""

from __future__ import annotations

import logging
import sys

import fire

from ..data.cohort import load_datalist
from ..files.errors import clean_exit
from ..tissue.bounds import TAIL_PERCENT, AnatomicalCriteria
from ..tissue.criteria import CRITERIA
from ..tissue.slices import SPACING_MM, load_tissue_slices

__all__ = ["check", "learn"]


@clean_exit()
def learn(
    path: str = "eval/criteria.json",
    dataset_dir: str = "",
    spacing_mm: float = SPACING_MM[0],
    tail_percent: float = TAIL_PERCENT,
) -> None:
    """Learn the bounds of the twelve criteria from the region labels of the training heads of a cohort.

    Args:
        path: JSON file to write.
        dataset_dir: folder of dataset.json (python -m scripts prepare), with labels.
        spacing_mm: of the grid on which masks will be judged.
        tail_percent: share of the training slices beyond each bound; 1 means from the 1st to the 99th percentile.
    """
    slices = load_tissue_slices(load_datalist(dataset_dir, "training"), spacing_mm=(spacing_mm,) * 3)
    criteria = AnatomicalCriteria.learn(slices, tail_percent)
    criteria.save(path)
    _say(f"wrote {path}: bounds from {len(slices)} slices of {len(slices.volumes())} heads")


@clean_exit()
def check(path: str = "eval/criteria.json", dataset_dir: str = "", part: str = "test") -> None:
    """Say how many label slices of a cohort meet the criteria.

    Args:
        path: JSON file that "learn" wrote.
        dataset_dir: folder of dataset.json (python -m scripts prepare), with labels.
        part: "training", "validation" or "test".
    """
    criteria = AnatomicalCriteria.load(path)
    spacing = (*criteria.spacing_mm, criteria.spacing_mm[0])
    slices = load_tissue_slices(load_datalist(dataset_dir, part), spacing_mm=spacing)
    measures = criteria.measure(slices.classes)
    passed = criteria.passes(measures, slices.level)
    heads = [passed[rows].all(1).mean() for rows in slices.volumes()]
    _say(f"{part}: {len(slices)} slices of {len(heads)} heads")
    for name, share in zip(CRITERIA, passed.mean(0), strict=True):
        _say(f"  {name:22s}{100 * share:6.1f} %")
    _say(f"  {'all':22s}{100 * passed.all(1).mean():6.1f} %   worst head {100 * min(heads):.1f} %")
    anywhere = criteria.passes(measures).all(1).mean()
    _say(f"  {'all, level not given':22s}{100 * anywhere:6.1f} %")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    logging.getLogger("monai").setLevel(logging.ERROR)
    fire.Fire({"learn": learn, "check": check})
