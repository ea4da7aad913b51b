# SPDX-License-Identifier: Apache-2.0
"""How well lesion-shaped holes of held-out heads are filled: ``python -m scripts.studies.filling DATA``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ...files.atomic import write_csv
from ..command_line import run_command, say
from .methods import methods
from .training import heads, lesion_holes

__all__ = ["measure"]


def measure(
    dataset_dir: str,
    output_dir: str = "eval/filling",
    part: str = "test",
    diameter_mm: Sequence[float] = (6.0, 20.0),
    number: Sequence[int] = (1, 3),
    per_head: int = 4,
    spacing_mm: float | Sequence[float] = 0,
    seed: int = 0,
) -> None:
    """Measure PSNR inside holes, peak 1 (the clean head's 99.5th percentile), and write filling.csv.

    Args:
        dataset_dir: folder of the cohort.
        output_dir: folder of the table.
        part: training, validation or test.
        diameter_mm: smallest and largest diameter of a hole.
        number: smallest and largest number of holes.
        per_head: how many times each head gets holes.
        spacing_mm: voxel sizes to which the heads are interpolated; 0: their own.
        seed: of the holes.
    """
    rows = []
    for subject, head in enumerate(heads(dataset_dir, part, spacing_mm)):
        for draw in range(per_head):
            mask = lesion_holes(head, seed + 1000 * subject + draw, diameter_mm, number)
            holes, clean = mask.as_tensor()[0], head.as_tensor()[0].double()
            damaged: Any = head.masked_fill(mask.as_tensor(), 0.0)
            for name, filled in methods(damaged, mask).items():
                error = float((filled - clean)[holes].square().mean())
                rows.append((subject, draw, name, int(holes.sum()), -10 * float(np.log10(error))))
    table = pd.DataFrame(rows, columns=["subject", "draw", "method", "voxels", "psnr"])
    write_csv(Path(output_dir) / "filling.csv", table)
    means = table.pivot_table(index="subject", columns="method", values="psnr", sort=False)
    gain = means.sub(means["biharmonic"], axis=0)
    interval = 1.96 * gain.std() / np.sqrt(len(means))
    say(f"{len(means)} heads, {per_head} times each, {table.voxels.median():.0f} voxels in the median")
    for name in means:
        say(
            f"{name:20} {means[name].mean():5.2f} +- {means[name].std():4.2f} dB, "
            f"{gain[name].mean():+5.2f} +- {interval[name]:4.2f} to biharmonic"
        )


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    run_command(measure, "python -m scripts.studies.filling")
