# SPDX-License-Identifier: Apache-2.0
"""The two result tables: a row per subject, and means with intervals over subjects.

The subject is the independent unit, not the slice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ignite.engine import Engine, Events

from ..files.atomic import replacing
from ..metrics import METRIC_NAMES
from .statistics import bootstrap_interval

__all__ = ["GROUP_KEYS", "ResultTables", "summarise"]

GROUP_KEYS = ["corruption", "severity", "region", "method"]


def summarise(metrics: pd.DataFrame, reference: str = "network", seed: int = 0) -> pd.DataFrame:
    """Mean, spread and interval of each metric over the subjects, and the paired difference from one method.

    Args:
        metrics: one row for each subject, corruption, severity, region and method.
        reference: the method with which the others are compared, subject by subject.
        seed: seed of the bootstrap.

    Returns:
        One row for each corruption, severity, region, method and metric: ``n`` (subjects), ``mean``, ``sd`` (NaN for
        one subject), ``ci_low``, ``ci_high``, and ``gain`` (mean over subjects of the reference's value minus the
        method's) with ``gain_low`` and ``gain_high``. A subject in which the region is empty does not count.
    """
    long = metrics.melt(["subject", *GROUP_KEYS], list(METRIC_NAMES), "metric").dropna(subset="value")
    match = ["subject", "corruption", "severity", "region", "metric"]
    references = long[long["method"] == reference].rename(columns={"value": "reference"})[[*match, "reference"]]
    paired = long.merge(references, on=match, how="left")
    rows = []
    for group, part in paired.groupby([*GROUP_KEYS, "metric"], sort=False):
        values, others = part["value"].to_numpy(), part["reference"].to_numpy()
        with np.errstate(invalid="ignore"):  # an untouched image has infinite PSNR, inf - inf is NaN
            gains = others - values
            spread = values.std(ddof=1) if len(values) > 1 else float("nan")
        low, high = bootstrap_interval(values, seed)
        gain_low, gain_high = bootstrap_interval(gains, seed)
        rows.append(
            dict(zip([*GROUP_KEYS, "metric"], group, strict=True))
            | {"n": len(values), "mean": values.mean(), "sd": spread, "ci_low": low, "ci_high": high}
            | {"gain": gains.mean(), "gain_low": gain_low, "gain_high": gain_high}
        )
    return pd.DataFrame(rows)


class ResultTables:
    """Handler that writes ``metrics.csv`` (a row per subject, damage, region and method) and ``summary.csv``.

    Args:
        output_dir: folder of the tables, created if it does not exist.
        reference: method with which the others are compared.
        seed: seed of the bootstrap.

    Attributes:
        metrics: first table, after the evaluation.
        summary: second table, see :func:`~scripts.evaluation.tables.summarise`.
    """

    def __init__(self, output_dir: str, reference: str = "network", seed: int = 0) -> None:
        self.output_dir = Path(output_dir)
        self.reference = reference
        self.seed = seed
        self.rows: list[dict[str, Any]] = []
        self.metrics = pd.DataFrame()
        self.summary = pd.DataFrame()

    def attach(self, engine: Engine) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.STARTED, lambda _: self.rows.clear())
        engine.add_event_handler(Events.ITERATION_COMPLETED, lambda e: self.rows.extend(e.state.output))
        engine.add_event_handler(Events.COMPLETED, lambda _: self.write())

    def write(self) -> None:
        """Write both tables, by rename."""
        self.metrics = pd.DataFrame(self.rows)
        self.summary = summarise(self.metrics, self.reference, self.seed)
        for name, table in (("metrics.csv", self.metrics), ("summary.csv", self.summary)):
            with replacing(self.output_dir / name) as partial:
                table.to_csv(partial, index=False, float_format="%.6g")
