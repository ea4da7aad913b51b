# SPDX-License-Identifier: Apache-2.0
"""Who beats whom: every pair of models, and groups of models that differ in one factor, under every damage."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...evaluation.statistics import Spread, holm, rank_biserial, signed_rank_test, spread
from .cells import Factors
from .values import HIGHER_IS_BETTER, Quantity, Values

__all__ = ["SIGNIFICANCE", "Contrast", "compare", "contrasts_of_pairs", "matched_contrast", "summarise_models"]

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Contrast:
    """Two sides whose results are subtracted, subject by subject and seed by seed.

    Attributes:
        a: the first side in words.
        b: the second side.
        pairs: names of the models that are subtracted; the differences of several pairs are averaged.
        design: cells among which the pairs were matched; empty for a plain pair of cells.
    """

    a: str
    b: str
    pairs: tuple[tuple[str, str], ...]
    design: str = ""


def contrasts_of_pairs(values: Values) -> list[Contrast]:
    """One contrast for each pair of rows, baselines included."""
    return [Contrast(a, b, ((a, b),)) for a, b in itertools.combinations(values.names, 2)]


def matched_contrast(
    a: str, b: str, models: Mapping[str, Factors], sides: tuple[Mapping[str, Any], Mapping[str, Any]], design: str
) -> Contrast:
    """Contrast of the models with certain values of some factors and those with other values, equal in all the rest.

    Args:
        a: the first side in words.
        b: the second side.
        models: name to factors.
        sides: factor to value, for each side; a factor with the same value on both is a restriction.
        design: name of this set of models.
    """
    first, second = sides
    varying = tuple(key for key in first.keys() | second.keys() if first.get(key) != second.get(key))

    def chosen(side: Mapping[str, Any]) -> dict[str, Factors]:
        return {n: f for n, f in models.items() if all(getattr(f, key) == value for key, value in side.items())}

    pairs = itertools.product(chosen(first).items(), chosen(second).items())
    return Contrast(a, b, tuple((x, y) for (x, fx), (y, fy) in pairs if fx.matches(fy, varying)), design)


def compare(values: Values, contrasts: Sequence[Contrast]) -> pd.DataFrame:
    """Estimate and test each contrast by each measure.

    The tests of one measure (one damage, severity, region and metric) are one family, within which Holm's correction is
    made: what a reader sees at once in one matrix of who beats whom.

    Args:
        values: of all models.
        contrasts: one family.

    Returns:
        One row for each contrast and measure that some subject has. ``difference`` is a minus b; ``better`` names the
        side that is better with a corrected p-value below 0.05.
    """
    if not contrasts:
        return pd.DataFrame()
    parts, p_values = [], []
    for contrast in contrasts:
        differences, seeds = _differences(values, contrast)
        of_subjects = differences.mean(axis=0)
        p_values.append(signed_rank_test(of_subjects))
        columns = _columns(spread(differences), seeds)
        parts.append(
            {
                "data": values.data, "design": contrast.design, "a": contrast.a, "b": contrast.b,
                "pairs": len(contrast.pairs), **_measures(values), "difference": columns.pop("mean"), **columns,
                "effect": rank_biserial(of_subjects), "p": p_values[-1],
            }
        )  # fmt: skip
    corrected = np.apply_along_axis(holm, 0, np.stack(p_values))  # (contrasts, measures)
    table = pd.concat([pd.DataFrame(part | {"p_holm": p}) for part, p in zip(parts, corrected, strict=True)])
    a_wins = (table["difference"] > 0) == table["metric"].isin(HIGHER_IS_BETTER)
    table["better"] = np.where(a_wins, table["a"], table["b"])
    table.loc[~(table["p_holm"] < SIGNIFICANCE), "better"] = ""
    return table[table["n"] > 0].reset_index(drop=True)


def summarise_models(values: Values) -> pd.DataFrame:
    """Mean, interval and both spreads of each model by each measure that some subject has.

    An infinite PSNR (an image that comes back without any error) stays one, without interval.
    """
    parts = []
    for name in values.names:
        seeds = values.seeds(name)
        figures = values.of(name, seeds)
        columns = _columns(spread(figures), seeds)
        perfect = np.isposinf(figures).all(axis=0).sum(axis=1)  # (measures,), subjects
        without_error = (columns["n"] == 0) & (perfect > 0)
        columns["n"] = np.where(without_error, perfect, columns["n"])
        columns["mean"] = np.where(without_error, np.inf, columns["mean"])
        parts.append(pd.DataFrame({"data": values.data, "model": name, **_measures(values), **columns}))
    table = pd.concat(parts, ignore_index=True)
    return table[table["n"] > 0].reset_index(drop=True)


def _differences(values: Values, contrast: Contrast) -> tuple[NDArray[np.float64], list[int]]:
    """Shape ``(seeds, measures, subjects)``, averaged over the pairs; and the seeds that all models have."""
    names = list(dict.fromkeys(itertools.chain(*contrast.pairs)))
    seeds = values.seeds(*names)
    nothing_common = not seeds and any(name in values.models for name in names)

    def of(name: str) -> NDArray[np.float64]:
        if nothing_common:  # each model's own mean
            return values.of(name, values.seeds(name)).mean(axis=0, keepdims=True)
        return values.of(name, seeds)

    with np.errstate(invalid="ignore"):  # an untouched image has infinite PSNR, inf - inf is NaN
        return np.mean([of(a) - of(b) for a, b in contrast.pairs], axis=0), seeds


def _measures(values: Values) -> dict[str, Iterable[Any]]:
    return dict(zip(Quantity._fields, zip(*values.measures, strict=True), strict=True))


def _columns(found: Spread, seeds: list[int]) -> dict[str, Any]:
    return {"n": found.n, "seeds": len(seeds), **vars(found)}
