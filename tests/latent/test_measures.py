# SPDX-License-Identifier: Apache-2.0
"""Measures of a latent space in cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import mutual_info_score

from scripts.latent.measures import (
    attribute_rows,
    disentanglement,
    effect_size,
    monotonic_share,
    mutual_information,
    spearman_matrix,
)


def grid(side: int = 20) -> np.ndarray:
    """Two independent, evenly spread numbers."""
    return np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2).astype(float)


def test_one_dimension_for_each_attribute_is_perfect():
    measures = disentanglement(np.c_[grid(), np.zeros(400)], 3 * grid() + 1)
    # the third dimension knows nothing: it counts 0 in the modularity
    assert measures == pytest.approx({"interpretability": 1, "scc": 1, "mig": 1, "sap": 1, "modularity": 2 / 3})


def test_two_dimensions_for_one_attribute_have_no_gap():
    attributes = grid()
    measures = disentanglement(attributes[:, [0, 0, 1, 1]], attributes)
    assert measures == pytest.approx({"interpretability": 1, "scc": 1, "mig": 0, "sap": 0, "modularity": 1}, abs=1e-9)


def test_a_dimension_that_knows_both_attributes_equally_is_not_modular():
    attributes = np.repeat(np.arange(20.0)[:, None], 2, axis=1)
    measures = disentanglement(attributes[:, :1] + np.array([[0.0, 0.0]]), attributes)
    assert measures["modularity"] == pytest.approx(0)


def test_mutual_information_is_that_of_the_bins():
    rng = np.random.default_rng(0)
    code = rng.standard_normal(500)
    attribute = code + rng.standard_normal(500)
    bins = [np.digitize(x, np.linspace(x.min(), x.max(), 21)[1:-1]) for x in (attribute, code)]
    assert mutual_information(code[:, None], attribute[:, None])[0, 0] == pytest.approx(mutual_info_score(*bins))


def test_spearman_leaves_out_what_is_not_defined():
    rng = np.random.default_rng(0)
    codes, attribute = rng.standard_normal((30, 2)), rng.standard_normal(30)
    attribute[:10] = np.nan
    matrix = spearman_matrix(codes, attribute[:, None])
    assert matrix[0, 1] == pytest.approx(spearmanr(codes[10:, 1], attribute[10:]).statistic)
    assert spearman_matrix(codes, np.ones((30, 1))).tolist() == [[0, 0]]


def test_monotonic_share_counts_the_steps_that_change():
    assert monotonic_share(np.array([[0, 1, 1, 2], [5, 4, 6, 7]])) == pytest.approx(4 / 5)
    assert monotonic_share(np.array([[np.nan, 1, 2]])) == 1
    assert monotonic_share(np.ones((2, 3))) == 0


def test_the_effect_is_a_share_of_the_span_of_real_images():
    real = np.r_[np.arange(101.0), np.nan]  # from the 5th to the 95th percentile: 90
    low, high = np.array([10.0, 20.0, np.nan, 0.0]), np.array([55.0, 110.0, 9.0, np.nan])
    assert effect_size(low, high, real) == pytest.approx((45 + 90) / 2 / 90)
    assert effect_size(high, low, real) == pytest.approx(-(45 + 90) / 2 / 90)
    assert np.isnan(effect_size(low[2:], high[2:], real))
    assert np.isnan(effect_size(low, high, np.ones(5)))


def test_rows_of_the_attribute_table():
    codes = np.c_[grid(), -grid()[:, 0]]
    rows = attribute_rows(("a", "b"), codes, grid(), {"a": 0, "b": 1}, {"a": 0.5, "b": 1.0}, {"a": 0.4, "b": 0.75})
    known = {"spearman_own": 1, "spearman_best_other": 1, "monotonic_share": 0.5, "effect_size": 0.4}
    assert rows[0] == {"attribute": "a"} | known
    assert {**rows[1], "attribute": 0} == pytest.approx(
        {"attribute": 0, "spearman_own": 1, "spearman_best_other": 0, "monotonic_share": 1, "effect_size": 0.75},
        abs=1e-9,
    )
