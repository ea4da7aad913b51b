# SPDX-License-Identifier: Apache-2.0
"""A pool of damaged heads: ``python -m scripts.studies.restorer.pool DATA POOL`` adds to it until it is stopped.

Damage and repair of a head take as long as a dozen steps of the optimiser: one core damages, another learns, and each
head is learnt from several times.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import Tensor

from ...files.atomic import replacing
from ...networks.volume_statistics import volume_statistics
from ...recipes.recipe import find_recipe, merged_config
from ..command_line import run_command, say

__all__ = ["DamagedHead", "Pool", "fill_pool"]

RECIPE = "restorer"
AT_ONCE = 4
"""Heads that are damaged in one call."""

DamagedHead = dict[str, Tensor]
"""``image``, repaired; ``filled``, mask; ``clean``, all ``(H, W, D)``; ``levels``; ``statistics``; ``subject``."""


def fill_pool(
    dataset_dir: str,
    pool_dir: str,
    part: str = "training",
    count: int = 0,
    first: int = 0,
    weights: Sequence[float] = (),
) -> None:
    """Damage heads as the recipe does, and write each to a file of its own.

    Args:
        dataset_dir: folder of a prepared cohort.
        pool_dir: folder of the files.
        part: of the cohort. Heads of "validation" are neither varied nor given lesions.
        count: number of heads; 0 goes on until the process is stopped.
        first: number of the first file, from which on the damage differs.
        weights: of the steps of damage, in the order of ``configs/corruption/mri_volumes.yaml``; without, those there.
    """
    torch.set_num_threads(1)
    folder = Path(pool_dir)
    folder.mkdir(parents=True, exist_ok=True)
    overrides = {"corruption#weights": list(weights)} if weights else {}
    config = merged_config(find_recipe(RECIPE), {"dataset_dir": dataset_dir, "num_workers": 1, **overrides})
    parser = ConfigParser(config)
    section = "train" if part == "training" else "validate"
    dataset = parser.get_parsed_content(f"{section}#dataset")
    prepare: Any = parser.get_parsed_content(
        "train#prepare_batch" if part == "training" else "validate#evaluator#prepare_batch"
    )
    prepare.training = part == "training"
    subjects = len(dataset.data)
    number, begin = first, time.monotonic()
    while not count or number < first + count:
        prepare.epoch = number // subjects
        order = torch.randperm(subjects, generator=torch.Generator().manual_seed(prepare.epoch))
        rows = order[number % subjects :][:AT_ONCE].tolist()
        images, targets, _, known = prepare(dataset.__getitems__(rows), torch.device("cpu"))
        for image, target, levels, row in zip(images, targets, known["levels"], rows, strict=True):
            head = {
                "image": image[0].half(),
                "filled": image[1] > 0,
                "clean": target[0].half(),
                "levels": levels,
                "statistics": volume_statistics(image[None, :1])[0],
                "subject": torch.tensor(row),
            }
            with replacing(folder / f"{number:06d}.pt") as partial:
                torch.save(head, partial)
            number += 1
        say(f"{number - first} heads, {(time.monotonic() - begin) / (number - first):.1f} s each")


class Pool:
    """The newest heads of a pool in memory.

    Args:
        folder: folder of the files.
        size: number of heads that are kept.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.heads: dict[str, DamagedHead] = {}
        self.seen: set[str] = set()

    def update(self) -> None:
        """Read what was added; the oldest heads make way."""
        for path in sorted(self.folder.glob("[0-9]*.pt"))[-self.size :]:
            if path.name not in self.seen:
                self.seen.add(path.name)
                self.heads[path.name] = torch.load(path, weights_only=True)
        for name in sorted(self.heads)[: -self.size]:
            del self.heads[name]


if __name__ == "__main__":
    run_command(fill_pool, "python -m scripts.studies.restorer.pool")
