# SPDX-License-Identifier: Apache-2.0
"""The results of all cells as arrays: model, seed, measure, subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...metrics import METRIC_NAMES
from .cells import NETWORK, Cell

__all__ = ["HIGHER_IS_BETTER", "WHOLE_KIND", "Quantity", "Values", "collect_values"]

HIGHER_IS_BETTER = frozenset({"psnr", "ssim"})
METRICS = tuple(name for name in METRIC_NAMES if name != "ssim")
"""SSIM is 1 - 2 DSSIM: the same tests, written differently."""
WHOLE_KIND = 0
"""In place of a severity: the kind as a whole, which is the mean over its severities where it has several."""


class Quantity(NamedTuple):
    """A column of results: damage, severity, region and metric."""

    corruption: str
    severity: int
    region: str
    metric: str


@dataclass(frozen=True)
class Values:
    """Results on one kind of slices.

    Attributes:
        data: name of the kind of slices.
        subjects: names, in the order of the last axis.
        measures: in the order of the second axis.
        models: trained models by name: seed to values ``(measures, subjects)``; NaN where a subject has no such region.
        baselines: methods without a training: values ``(measures, subjects)``.
    """

    data: str
    subjects: tuple[str, ...]
    measures: tuple[Quantity, ...]
    models: Mapping[str, Mapping[int, NDArray[np.float64]]]
    baselines: Mapping[str, NDArray[np.float64]]

    @property
    def names(self) -> list[str]:
        """All rows of a table: models, then baselines."""
        return [*self.models, *self.baselines]

    def seeds(self, *names: str) -> list[int]:
        """Seeds that all of these models have; empty where all of them are baselines."""
        sets = [set(self.models[name]) for name in names if name in self.models]
        return sorted(set.intersection(*sets)) if sets else []

    def of(self, name: str, seeds: Sequence[int]) -> NDArray[np.float64]:
        """Values of a model, shape ``(seeds, measures, subjects)``; a baseline is the same for every seed."""
        if name in self.baselines:
            return np.repeat(self.baselines[name][None], max(1, len(seeds)), axis=0)
        return np.stack([self.models[name][seed] for seed in seeds])


def collect_values(cells: Sequence[Cell]) -> dict[str, Values]:
    """Read ``metrics.csv`` of cells that are done.

    Args:
        cells: of the plan, those that are done.

    Returns:
        Values by the name of the data.
    """
    by_data: dict[str, dict[tuple[str, int | None], pd.Series]] = {}
    for cell in cells:
        for method, series in _per_method(pd.read_csv(cell.folder / "metrics.csv", dtype={"subject": str})):
            key = (cell.model, cell.seed) if method == NETWORK else (method, None)
            by_data.setdefault(cell.data, {})[key] = series
    return {data: _stack(data, series) for data, series in by_data.items()}


def _per_method(metrics: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    """Values of each method by (measure, subject), with the mean over severities as one more."""
    keys = ["method", "corruption", "severity", "region", "metric", "subject"]
    long = metrics.melt([key for key in keys if key != "metric"], list(METRICS), "metric")
    graded = long[long["severity"] != WHOLE_KIND]
    whole = graded.groupby([key for key in keys if key != "severity"], sort=False)["value"].mean().reset_index()
    whole["severity"] = WHOLE_KIND
    table = pd.concat([whole, long]).set_index(keys)["value"]
    return [(str(method), part.droplevel("method")) for method, part in table.groupby("method", sort=False)]


def _stack(data: str, series: Mapping[tuple[str, int | None], pd.Series]) -> Values:
    wide = {key: part.unstack("subject") for key, part in series.items()}
    subjects = sorted(set().union(*(table.columns for table in wide.values())))
    rows = dict.fromkeys(row for part in series.values() for row in part.index.droplevel("subject"))  # in their order
    index = pd.MultiIndex.from_tuples(rows)
    arrays = {key: table.reindex(index=index, columns=subjects).to_numpy(np.float64) for key, table in wide.items()}
    models: dict[str, dict[int, NDArray[np.float64]]] = {}
    for (name, seed), array in arrays.items():
        if seed is not None:
            models.setdefault(name, {})[seed] = array
    return Values(
        data=data,
        subjects=tuple(subjects),
        measures=tuple(Quantity(*row) for row in rows),
        models=models,
        baselines={name: array for (name, seed), array in arrays.items() if seed is None},
    )
