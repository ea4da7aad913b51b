# SPDX-License-Identifier: Apache-2.0
"""``chart learn | place``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from .arguments import Count, Seed, UsageError
from .front import say

__all__ = ["COMMAND", "learn", "place"]


def learn(
    dataset_dir: str = "",
    output_dir: str = "eval/chart",
    *,
    recipe: str = "ar_vae",
    weights: str = "",
    knots: Count = 3,
    folds: Count = 10,
    seed: Seed = 0,
) -> None:
    """Learn a normative chart of brains against age and sex from the heads of a cohort, and test its percentiles.

    The cohort needs region labels, and age and sex of at least 10 women and 10 men; the demo cohort is too small.
    Writes measures.csv (each head), percentiles.csv (each head, on charts of other subjects), calibration.csv (are
    these uniform?), normative.json and chart.png.

    Args:
        output_dir: folder of the chart.
        recipe: recipe with reg/attributes whose latent codes are part of the chart, if weights are given.
        weights: model.pt of a training of the recipe; without it the chart has no codes.
        knots: number of knots of the curves; 2 for straight lines.
        folds: number of charts on which held-out heads are placed.
        seed: seed of the folds.
    """
    from ..normative.learning import learn_chart

    learned = learn_chart(
        dataset_dir, Path(output_dir), recipe=recipe, weights=weights, knots=knots, folds=folds, seed=seed
    )
    say(f"{learned.summary()}\nwrote the chart into {output_dir}")


def place(
    label: Annotated[str, "HEAD"] = "",
    output_dir: str = "eval/placed",
    *,
    subject: str = "",
    age: float | None = None,
    sex: str = "",
    dataset_dir: str = "",
    chart_dir: str = "eval/chart",
) -> None:
    """Place a head on a chart: a file of region labels, or a subject of a cohort.

    A subject from whom the chart was learned is left out of it first. Writes placed.csv (value, median and 5th to 95th
    percentile for its age and sex, and its percentile, of each measure) and placed.png (the head on the chart).

    Args:
        label: file of region labels (MUSE), such as DLMUSE writes.
        subject: name of a subject of the cohort, instead of a file.
        age: age in years; by default that of the subject in dataset.json.
        sex: F or M; by default that of the subject in dataset.json.
        dataset_dir: folder of the subject's dataset.json; by default the one from which the chart was learned.
        chart_dir: folder that chart learn wrote.
    """
    if bool(label) == bool(subject):
        raise UsageError("give one of a file of labels and --subject NAME.")
    from ..normative.learning import place_head

    placed = place_head(
        Path(chart_dir), Path(output_dir), label=label, subject=subject, age=age, sex=sex, dataset_dir=dataset_dir
    )
    say(f"{placed.summary()}\nwrote placed.csv and placed.png into {output_dir}")


COMMAND = {"learn": learn, "place": place}
