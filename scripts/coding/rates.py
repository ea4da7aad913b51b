# SPDX-License-Identifier: Apache-2.0
"""From one row per subject and rate to means with intervals over subjects."""

from __future__ import annotations

import pandas as pd

from ..evaluation.summary import bootstrap_interval
from ..metrics import METRIC_NAMES

__all__ = ["summarise_rates"]

KEYS = ["codec", "compression", "bits_per_value", "region", "metric"]
RATES = ["values_per_pixel", "bits_per_pixel"]


def summarise_rates(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Mean, spread and interval of each metric over the subjects, at each rate of each codec.

    Several trainings of one network are averaged within each subject first.

    Args:
        table: rows of :func:`~scripts.coding.measure.measure_codecs` with ``seed``, of the training.
        seed: of the bootstrap.

    Returns:
        One row for each codec, nominal compression, bits per value (0 for floating point), region and metric: the mean
        rates ``values_per_pixel`` and ``bits_per_pixel``, ``n`` subjects, ``seeds``, ``mean``, ``sd`` and 95 % interval
        over subjects, ``seed_sd`` of the means of the trainings.
    """
    filled = table.fillna({"bits_per_value": 0})
    long = filled.melt([*KEYS[:-1], *RATES, "subject", "seed"], list(METRIC_NAMES), "metric").dropna(subset="value")
    rows = []
    for key, part in long.groupby(KEYS, sort=False):
        subjects = part.groupby("subject")["value"].mean().to_numpy()
        low, high = bootstrap_interval(subjects, seed)
        trainings = part.groupby("seed")["value"].mean()
        rows.append(
            dict(zip(KEYS, key, strict=True))
            | {rate: part[rate].mean() for rate in RATES}
            | {"n": len(subjects), "seeds": len(trainings), "mean": subjects.mean()}
            | {"sd": subjects.std(ddof=1) if len(subjects) > 1 else float("nan"), "ci_low": low, "ci_high": high}
            | {"seed_sd": trainings.std(ddof=1)}
        )
    return pd.DataFrame(rows)
