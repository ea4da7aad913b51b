# SPDX-License-Identifier: Apache-2.0
"""``demo [report | figure | gallery] [OUT]``."""

from __future__ import annotations

from typing import Literal

from .arguments import Count, Seed
from .front import say, say_written

__all__ = ["COMMAND", "demo"]


def demo(
    task: Literal["report", "figure", "gallery"] = "report",
    output_dir: str = "eval/demo",
    *,
    max_epochs: Count = 10,
    num_subjects: Count = 12,
    spacing_mm: float = 2.0,
    weights: str = "",
    seed: Seed = 0,
    picture: str = "docs/figures/restoration.png",
    pictures: str = "docs/figures/damage",
) -> None:
    """Show on synthetic heads, without any download, what the project does.

    Args:
        task: report runs every step (a cohort, a brief training, its evaluation, a damaged head restored) and writes
            OUT/report.html; figure only restores a damaged head and writes the picture of the README; gallery restores
            it from each kind of damage, and writes the pictures of docs/gallery.md.
        output_dir: folder of everything that the demo makes.
        max_epochs: length of the training.
        num_subjects: number of heads of the cohort, at least 4.
        spacing_mm: voxel size of the cohort in mm.
        weights: weights that restore the damaged head; by default the shipped ones, trained on real heads.
        seed: seed of the cohort, the training and the damage.
        picture: file that figure writes.
        pictures: folder that gallery writes into.
    """
    from ..demo.steps import Demo

    shown = Demo(output_dir, num_subjects=num_subjects, spacing_mm=spacing_mm, weights=weights, seed=seed)
    if task == "report":
        say(f"wrote {shown.write_report(max_epochs)}: open it in a browser")
    elif task == "gallery":
        say_written(shown.write_gallery(pictures))
    else:
        shown.write_figure(picture)
        say(f"wrote {picture}")


COMMAND = demo
