# SPDX-License-Identifier: Apache-2.0
"""What the table of plausible masks is made of."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rankdata

from scripts.latent.evaluation import largest_spearman


@pytest.mark.parametrize("tied", [0, 200, 500, 900])
def test_ties_bound_the_rank_correlation(tied: int):
    """Spearman's is Pearson's of the ranks, tied ones sharing their mean: nothing is more correlated than the order."""
    order = np.arange(1000.0)
    ranks = rankdata(np.maximum(order, tied - 1))
    assert np.corrcoef(order, ranks)[0, 1] == pytest.approx(largest_spearman(tied / 1000), abs=1e-3)
