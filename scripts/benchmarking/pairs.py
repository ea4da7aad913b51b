# SPDX-License-Identifier: Apache-2.0
"""By how much one row of a table is better than another."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from .comparisons import SIGNIFICANCE
from .values import HIGHER_IS_BETTER, Measure
from .verdicts import MARGINS

__all__ = ["Gain", "Pairs"]


@dataclass(frozen=True)
class Gain:
    """How much better one row is than another, positive where it is better.

    Attributes:
        over: the other row.
        mean: of the paired differences.
        low: lower end of their 95 % interval over subjects.
        high: its upper end.
        p_holm: corrected p-value.
        margin: what does not matter.
    """

    over: str
    mean: float
    low: float
    high: float
    p_holm: float
    margin: float

    @property
    def significant(self) -> bool:
        """Whether the test says that there is a difference."""
        return self.p_holm < SIGNIFICANCE

    @property
    def matters(self) -> bool:
        """Whether it is significant, and larger than what does not matter."""
        return self.significant and abs(self.mean) > self.margin


class Pairs:
    """Looks up pairs of rows in the statistics, in either direction.

    Args:
        statistics: of a benchmark.
    """

    def __init__(self, statistics: pd.DataFrame) -> None:
        cells = statistics[statistics["design"] == ""]
        keys = zip(*(cells[key] for key in ("data", "a", "b", *Measure._fields)), strict=True)
        rows = zip(*(cells[key] for key in ("difference", "ci_low", "ci_high", "p_holm")), strict=True)
        self.rows = dict(zip(keys, rows, strict=True))

    def gain(self, data: str, measure: Measure, of: str, over: str) -> Gain | None:
        """How much better ``of`` is; ``None`` where the two were not compared (infinite PSNR, no such region)."""
        for a, b, direction in ((of, over, 1), (over, of, -1)):
            row = self.rows.get((data, a, b, *measure))
            if row is not None:
                sign = direction if measure.metric in HIGHER_IS_BETTER else -direction
                mean, low, high = (sign * value for value in row[:3])
                return Gain(over, mean, min(low, high), max(low, high), row[3], MARGINS.get(measure.metric, 0.0))
        return None
