# SPDX-License-Identifier: Apache-2.0
"""Calibration of charts: the percentiles of heads that a chart has not seen have to be uniform."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest, kstest

from ..evaluation.statistics import holm
from .chart import BAND, NormativeChart
from .measures import CODE, Measure

__all__ = ["calibration_table", "held_out_percentiles"]

AGE_GROUPS = 3


def held_out_percentiles(
    heads: pd.DataFrame, measures: Mapping[str, Measure], knots: int = 3, folds: int = 10, seed: int = 0
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Place every head on a chart of the heads of other subjects.

    Args:
        heads: table of heads as for :class:`NormativeChart`, with ``subject``: all heads of a subject are held out
            together.
        measures: unit and scale of each measure.
        knots: number of knots of the charts, at quantiles of the ages of all heads.
        folds: number of charts.
        seed: seed of the assignment of subjects to folds.

    Returns:
        ``subject``, ``age``, ``sex`` and the percentile, 0 to 1, of each measure; and for each measure the share of its
        variance over the held-out heads that age and sex explain (on the scale of the model; negative where the mean
        would predict better).

    Raises:
        ValueError: there are fewer subjects than folds, or fewer than two folds.
    """
    names = heads["subject"].unique()
    if not 2 <= folds <= len(names):
        raise ValueError(f"folds must be from 2 to {len(names)}, the number of subjects, got {folds}.")
    fold_of = dict(zip(np.random.default_rng(seed).permutation(names), np.arange(len(names)) % folds, strict=True))
    fold = heads["subject"].map(fold_of)
    result = heads.drop(columns=list(measures)).copy()
    scaled = {name: np.full((2, len(heads)), np.nan) for name in measures}
    for number in range(folds):
        held_out = (fold == number).to_numpy()
        chart = NormativeChart(heads[~held_out], measures, knots, heads["age"])
        for name in measures:
            result.loc[held_out, name] = chart.percentiles(name, heads[held_out])
            scaled[name][:, held_out] = chart.median_scaled(name, heads[held_out])
    return result, {name: _explained(*pair) for name, pair in scaled.items()}


def calibration_table(
    percentiles: pd.DataFrame, measures: Mapping[str, Measure], explained: Mapping[str, float]
) -> pd.DataFrame:
    """Test percentiles of held-out heads against the uniform distribution, over all of them and in groups.

    The groups make the test informative: over all heads, ranks are nearly uniform whatever the curves are.

    Args:
        percentiles: percentiles from :func:`held_out_percentiles`, with ``part``: for the codes of a network, the heads
            outside its training are a group too.
        measures: measures to test, the columns of ``percentiles``.
        explained: explained shares from :func:`held_out_percentiles`.

    Returns:
        For each measure and group: ``n``, the number of heads; ``ks``, the largest distance of their distribution from
        the uniform one; ``p`` of the Kolmogorov-Smirnov test; ``p_holm``, corrected over all rows; ``coverage``, the
        share between the 5th and the 95th percentile (expected: 0.9), with its 95 % Clopper-Pearson interval
        ``coverage_low`` to ``coverage_high``; ``explained``.
    """
    rows: list[dict[str, Any]] = []
    for name in measures:
        for group, chosen in _groups(percentiles, name).items():
            shares = percentiles.loc[chosen, name].dropna().to_numpy()
            if not len(shares):
                continue
            test = kstest(shares, "uniform")
            inside = int(((shares >= BAND[0]) & (shares <= BAND[1])).sum())
            interval = binomtest(inside, len(shares)).proportion_ci()
            rows.append(
                {
                    "measure": name,
                    "group": group,
                    "n": len(shares),
                    "ks": float(test.statistic),
                    "p": float(test.pvalue),
                }
                | {"coverage": inside / len(shares), "coverage_low": interval.low, "coverage_high": interval.high}
                | {"explained": explained[name] if group == "all" else np.nan}
            )
    table = pd.DataFrame(rows)
    table.insert(5, "p_holm", holm(table["p"]))
    return table


def _groups(heads: pd.DataFrame, name: str) -> dict[str, NDArray[np.bool_]]:
    age = heads["age"].to_numpy()
    edges = np.quantile(age, np.linspace(0, 1, AGE_GROUPS + 1))
    third = np.searchsorted(edges[1:-1], age, "right")
    groups = {"all": np.ones(len(age), bool)}
    groups |= {f"sex {sex}": (heads["sex"] == sex).to_numpy() for sex in ("F", "M")}
    for i in range(AGE_GROUPS):
        groups[f"age {edges[i]:.0f} to {edges[i + 1]:.0f}"] = third == i
    if name.startswith(CODE):
        groups["outside training"] = (heads["part"] != "training").to_numpy()
    return groups


def _explained(values: NDArray[np.float64], medians: NDArray[np.float64]) -> float:
    known = np.isfinite(values)
    return float(1 - np.square(values - medians)[known].sum() / np.square(values - values[known].mean())[known].sum())
