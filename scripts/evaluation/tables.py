# SPDX-License-Identifier: Apache-2.0
"""Collects the rows of all subjects and writes the two tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from ignite.engine import Engine, Events

from ..replacing import replacing
from .summary import summarise

__all__ = ["ResultTables"]


class ResultTables:
    """Handler that writes ``metrics.csv`` (a row per subject, damage, region and method) and ``summary.csv``.

    Args:
        output_dir: made where it does not exist.
        reference: the method with which the others are compared.
        seed: of the bootstrap.

    Attributes:
        metrics: the first table, after the evaluation.
        summary: the second one, see :func:`~scripts.evaluation.summary.summarise`.
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
        """Write both tables; each appears whole, by rename."""
        self.metrics = pd.DataFrame(self.rows)
        self.summary = summarise(self.metrics, self.reference, self.seed)
        for name, table in (("metrics.csv", self.metrics), ("summary.csv", self.summary)):
            with replacing(self.output_dir / name) as partial:
                table.to_csv(partial, index=False, float_format="%.6g")
