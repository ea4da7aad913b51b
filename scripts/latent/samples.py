# SPDX-License-Identifier: Apache-2.0
"""Samples of a latent space, and the tables about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from .sampling import AttributeScale, Bound, interpolation, sample_with_attribute
from .space import LatentSpace, TissueSpace

__all__ = ["conditional_table", "draw_samples", "sample_table"]

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
SAMPLES_PER_VALUE = 40


def draw_samples(space: LatentSpace, count: int, rng: np.random.Generator) -> tuple[dict[str, NDArray], pd.DataFrame]:
    """Codes from every source, and the outcome of rejection sampling.

    Returns:
        Codes ``(count, K)`` from ``prior``, ``parzen`` (exact), ``interpolation`` (half way between held-out subjects
        at the same level) and, if any was accepted, ``rejection`` (with the last bound that accepted any); and a table
        of the acceptance rate of rejection sampling for each choice of its bound.
    """
    size = space.window.codes.shape[1]
    samples = {
        "prior": rng.standard_normal((count, size)),
        "parzen": space.window.sample(count, rng),
        "interpolation": _halfway(space, count, rng),
    }
    rows = []
    for bound in get_args(Bound):
        for leave_one_out in (False, True):
            rejection = space.window.sample_by_rejection(20 * count, rng, bound, leave_one_out)
            if len(rejection.codes):
                samples["rejection"] = rejection.codes[:count]
            rows.append(
                {"bound": bound, "leave_one_out": leave_one_out, "proposals": rejection.proposals}
                | {"accepted": len(rejection.codes), "acceptance_rate": rejection.acceptance_rate}
                | {"share_above_bound": rejection.exceeded, "log_bound": rejection.log_bound}
            )
    return samples, pd.DataFrame(rows)


def _halfway(space: LatentSpace, count: int, rng: np.random.Generator) -> NDArray:
    """Codes half way between slices of two held-out subjects at nearly the same level."""
    codes, subject, level = space.codes[space.part], space.subject[space.part], space.level[space.part]
    first = rng.integers(len(codes), size=count)
    subjects = np.unique(subject)
    last = []
    for index in first:
        others = subjects[subjects != subject[index]]
        rows = np.flatnonzero(subject == rng.choice(others if len(others) else subjects))
        last.append(rows[np.abs(level[rows] - level[index]).argmin()])
    return interpolation(codes[first], codes[last], 3)[:, 1]


def sample_table(space: LatentSpace, samples: Mapping[str, NDArray]) -> pd.DataFrame:
    """For each sample its log-density and the nearest training image, as a check against copying.

    The rows ``test`` (the part) are real images of unseen subjects, ``test, decoded`` their reconstructions, which are
    as smooth as samples: samples much closer to a training image than those are copies.
    """
    real = space.codes[space.part]
    tables = []
    for source, codes in {**samples, f"{space.part}, decoded": real, space.part: real}.items():
        index, difference = space.nearest(
            space.images[space.part] if source == space.part else space.model.decode(codes)
        )
        tables.append(
            pd.DataFrame(
                {
                    "source": source,
                    "log_density": space.window.log_density(codes),
                    "nearest_subject": space.subject["training"][index],
                    "nearest_level": space.level["training"][index].round(4),
                    "difference": difference.round(4),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def conditional_table(
    space: TissueSpace, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[NDArray], list[NDArray]]:
    """Agreement of the attribute values of conditional samples with the wanted ones.

    Returns:
        For each attribute the rank correlation of wanted and measured values, their mean absolute error, and the
        standard deviation in the training for comparison; the wanted and the measured values of each attribute.
    """
    rows, all_wanted, all_measured = [], [], []
    for column, name in enumerate(space.names):
        attribute = space.attributes("training")[:, column]
        scale = AttributeScale(space.codes["training"][:, space.dims[name]], attribute)
        values = np.quantile(scale.attribute, QUANTILES)
        codes = [
            sample_with_attribute(space.window, space.dims[name], scale.code(value), SAMPLES_PER_VALUE, rng)
            for value in values
        ]
        measured = space.measured(space.model.decode(np.concatenate(codes)), [name])[:, 0]
        wanted = np.repeat(values, SAMPLES_PER_VALUE)
        known = np.isfinite(measured)
        rows.append(
            {
                "attribute": name,
                "spearman": round(float(spearmanr(wanted[known], measured[known]).statistic), 4),
                "mean_absolute_error": round(float(np.abs(measured - wanted)[known].mean()), 4),
                "training_sd": round(float(np.nanstd(attribute)), 4),
            }
        )
        all_wanted.append(wanted[known])
        all_measured.append(measured[known])
    return pd.DataFrame(rows), all_wanted, all_measured
