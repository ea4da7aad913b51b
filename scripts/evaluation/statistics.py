# SPDX-License-Identifier: Apache-2.0
"""Statistics over subjects and seeds.

The unit is the subject: neighbouring slices of a head are no independent observations. Values are averaged over the
seeds of a model first; then subjects are resampled (intervals) and compared in pairs (tests). What another training
would have given is a second source of chance, so the spread between seeds stands beside that between subjects.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import bootstrap, rankdata, t, wilcoxon

__all__ = [
    "Spread", "bootstrap_interval", "bootstrap_of_rows", "holm", "rank_biserial", "signed_rank_test", "spread",
]  # fmt: skip

CONFIDENCE = 0.95
ENDS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)
"""Quantiles between which a percentile interval lies."""
RESAMPLES = 2000
EXACT_UP_TO = 50
"""Subjects up to which scipy computes the signed-rank test's distribution exactly."""
Array = NDArray[np.float64]


def bootstrap_interval(values: ArrayLike, seed: int = 0) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean, resampling subjects.

    Args:
        values: one number per subject.
        seed: of the 2,000 resamples.

    Returns:
        Lower and upper end. NaN for a single subject, whose spread is unknown, and where a value is not finite.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    data = np.asarray(values, dtype=np.float64)
    if len(data) < 2 or not np.isfinite(data).all():
        return float("nan"), float("nan")
    result = bootstrap(
        (data,), np.mean, confidence_level=CONFIDENCE, n_resamples=RESAMPLES, method="percentile",
        random_state=np.random.default_rng(seed),
    )  # fmt: skip
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def bootstrap_of_rows(
    statistic: Callable[[NDArray[np.intp]], ArrayLike], subjects: NDArray, resamples: int, rng: np.random.Generator
) -> Array:
    """95 % percentile bootstrap interval of a statistic of slices, resampling whole subjects.

    Slices of a subject are not independent: a subject is drawn with all its slices.

    Args:
        statistic: of the slices in these rows; a number or an array.
        subjects: subject of each slice, ``(N,)``.
        resamples: number of resamples.
        rng: source of chance.

    Returns:
        Lower and upper end, ``(2, ...)``; resamples in which the statistic is NaN do not count. NaN for one subject.
    """
    rows = [np.flatnonzero(subjects == subject) for subject in np.unique(subjects)]
    if len(rows) < 2:
        return np.full((2, *np.shape(statistic(rows[0]))), np.nan)
    drawn = rng.integers(0, len(rows), (resamples, len(rows)))
    return np.nanquantile([statistic(np.concatenate([rows[i] for i in draw])) for draw in drawn], ENDS, axis=0)


@dataclass(frozen=True)
class Spread:
    """Mean of values with the two spreads around it; each field has the shape ``(measures,)``.

    Attributes:
        n: subjects with a finite value.
        mean: over subjects and seeds.
        ci_low: lower end of the 95 % percentile bootstrap interval over subjects; NaN for one subject.
        ci_high: its upper end.
        subject_sd: standard deviation between subjects, of their means over seeds; NaN for one subject.
        seed_sd: standard deviation between seeds, of their means over subjects; NaN for one seed.
        seed_low: lower end of the 95 % t interval over seeds; NaN for one seed.
        seed_high: its upper end.
    """

    n: NDArray[np.int64]
    mean: Array
    ci_low: Array
    ci_high: Array
    subject_sd: Array
    seed_sd: Array
    seed_low: Array
    seed_high: Array


def spread(values: Array, bootstrap_seed: int = 0) -> Spread:
    """Mean, intervals and spreads.

    Args:
        values: shape ``(seeds, measures, subjects)``. A subject whose value is not finite for some seed does not count:
            it has no such region, or an infinite PSNR.
        bootstrap_seed: of the resamples, which are those of ``scipy.stats.bootstrap``.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile interval).
    """
    usable = np.isfinite(values).all(axis=0)  # (measures, subjects)
    n = usable.sum(axis=1)
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a mean over no subject is NaN
        masked = np.where(usable, values, np.nan)
        of_subjects = masked.mean(axis=0)  # (measures, subjects)
        of_seeds = np.nanmean(masked, axis=2)  # (seeds, measures)
        mean = np.nanmean(of_subjects, axis=1)
        subject_sd = np.nanstd(of_subjects, axis=1, ddof=1)
    low, high = np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    for mask in np.unique(usable, axis=0):  # measures with the same subjects share their resamples
        rows = (usable == mask).all(axis=1)
        if mask.sum() > 1:
            low[rows], high[rows] = _bootstrap(of_subjects[rows][:, mask], bootstrap_seed)
    seeds = len(values)
    seed_sd = of_seeds.std(axis=0, ddof=1) if seeds > 1 else np.full_like(mean, np.nan)
    half = t.ppf((1 + CONFIDENCE) / 2, seeds - 1) * seed_sd / np.sqrt(seeds) if seeds > 1 else seed_sd
    return Spread(n, mean, low, high, subject_sd, seed_sd, mean - half, mean + half)


def _bootstrap(values: Array, seed: int) -> tuple[Array, Array]:
    """Percentile interval of each row's mean, by counting how often each subject is drawn."""
    means = values @ _resampling_weights(values.shape[1], seed).T  # (measures, resamples)
    low, high = np.percentile(means, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)], axis=1)
    return low, high


@cache
def _resampling_weights(subjects: int, seed: int) -> Array:
    """Share of each subject in each resample, shape ``(resamples, subjects)``."""
    drawn = np.random.default_rng(seed).integers(0, subjects, (RESAMPLES, subjects))
    return np.stack([np.bincount(row, minlength=subjects) for row in drawn]) / subjects


def signed_rank_test(differences: Array) -> Array:
    """Two-sided p-value of the Wilcoxon signed-rank test over subjects.

    Exact up to 50 subjects where no difference is zero, else its normal approximation without the zeros.

    Args:
        differences: shape ``(measures, subjects)``; what is not finite does not count.

    Returns:
        Shape ``(measures,)``; 1 where all differences are zero, NaN where there is none.

    References:
        Wilcoxon, Individual comparisons by ranking methods, Biometrics Bulletin 1(6), 1945.
    """
    p = np.full(len(differences), np.nan)
    for mask in np.unique(np.isfinite(differences), axis=0):
        if not mask.any():
            continue
        rows = (np.isfinite(differences) == mask).all(axis=1)
        here = differences[rows][:, mask]
        found = np.ones(len(here))
        no_zero, some = (here != 0).all(axis=1), (here != 0).any(axis=1)
        exact = no_zero & (mask.sum() <= EXACT_UP_TO)
        for chosen, method in ((exact, "exact"), (some & ~exact, "asymptotic")):
            if chosen.any():
                found[chosen] = wilcoxon(here[chosen], axis=1, method=method).pvalue
        p[rows] = found
    return p


def rank_biserial(differences: Array) -> Array:
    r"""Matched-pairs rank-biserial correlation, the effect size of the signed-rank test.

    .. math:: r = \frac{R_+ - R_-}{R_+ + R_-}

    with the sums of the ranks of the positive and of the negative differences. It says how consistently the subjects
    agree, in [-1, 1], and belongs to the test that is made; Cohen's d of paired values would divide by a spread that
    the pairing has made tiny. How much the difference matters is its mean, in the metric's own unit.

    Args:
        differences: shape ``(measures, subjects)``; zeros and what is not finite do not count.

    Returns:
        Shape ``(measures,)``; NaN where no difference is left.

    References:
        Kerby, The simple difference formula, Comprehensive Psychology 3, 2014 (doi:10.2466/11.IT.3.1).

    Example:
        >>> rank_biserial(np.array([[1.0, 2.0, -3.0, 4.0]]))
        array([0.4])
    """
    counted = np.where(np.isfinite(differences) & (differences != 0), differences, np.nan)
    ranks = rankdata(np.abs(counted), axis=1, nan_policy="omit")
    sums = np.nansum(np.sign(counted) * ranks, axis=1), np.nansum(ranks, axis=1)
    return np.divide(*sums, out=np.full(len(counted), np.nan), where=sums[1] > 0)


def holm(p: ArrayLike) -> Array:
    """Holm's step-down correction of p-values that belong to one family.

    Args:
        p: shape ``(tests,)``; NaN for a test that could not be made, which does not count.

    Returns:
        Corrected p-values, in the same order. Read at a level, they keep the chance of any false alarm in the family
        below it.

    References:
        Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6(2), 1979.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    values = np.asarray(p, dtype=np.float64)
    corrected = np.full_like(values, np.nan)
    tested = np.flatnonzero(np.isfinite(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected
