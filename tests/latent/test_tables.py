# SPDX-License-Identifier: Apache-2.0
"""Numbers of the tables in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from scripts.latent.tables import interval_table, largest_spearman
from tests.helpers.known_space import KnownSpace


@pytest.mark.parametrize("tied", [0, 200, 500, 900])
def test_ties_bound_the_rank_correlation(tied: int):
    """Spearman's is Pearson's of the ranks, tied ones sharing their mean: nothing is more correlated than the order."""
    order = np.arange(1000.0)
    ranks = rankdata(np.maximum(order, tied - 1))
    assert np.corrcoef(order, ranks)[0, 1] == pytest.approx(largest_spearman(tied / 1000), abs=1e-3)


def test_intervals_are_over_subjects_and_not_over_slices():
    """Copies of the slices of a subject are no further evidence."""
    rng = np.random.default_rng(0)
    codes, subjects = rng.standard_normal((60, 2)), np.repeat([f"{i:02d}" for i in range(12)], 5)
    attributes = codes * [1.0, -1.0] + rng.standard_normal((60, 2))
    tables = [
        interval_table(
            KnownSpace(*({"test": np.concatenate([values] * copies)} for values in (codes, attributes, subjects))),
            np.random.default_rng(1),
        )
        for copies in (1, 6)
    ]
    for column, row in enumerate(tables[0].itertuples()):
        found = abs(spearmanr(codes[:, column], attributes[:, column]).statistic)
        assert row.attribute == "ab"[column]
        assert row.low + 0.05 < found < row.high - 0.02
    np.testing.assert_allclose(tables[1][["low", "high"]], tables[0][["low", "high"]], atol=1e-3)
