# SPDX-License-Identifier: Apache-2.0
"""``smallest_area.csv``: how large a brain a slice has to show for the order of the ventricle areas to be defined."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from ..data.cohort import load_datalist
from .tissue_space import TissueSpace

__all__ = ["ATTRIBUTE", "largest_spearman", "smallest_area_table"]

ATTRIBUTE = "ventricle_area"
AREAS_MM2 = (2500.0, 3000.0, 3500.0, 4000.0, 4500.0)


def largest_spearman(tied_share: float) -> float:
    r"""The largest rank correlation that a number without ties can have with one of which a share p is equal.

    .. math:: \sqrt{1 - p^3}

    The ranks of the tied ones are their mean, which takes :math:`p^3` of the variance of the ranks away.

    Example:
        >>> largest_spearman(0.0)
        1.0
    """
    return float(np.sqrt(1 - tied_share**3))


def smallest_area_table(space: TissueSpace, dataset_dir: str) -> pd.DataFrame:
    """Rank correlation of the ventricle area with its own dimension, over the smallest brain area of a slice.

    The weights stay those of the recipe: below its own ``min_area_mm2`` they see slices unlike those of their training.

    Args:
        space: trained recipe and cohort, of which the held-out subjects are read again.
        dataset_dir: folder of dataset.json.

    Returns:
        For each smallest area the number of slices, the share of them without ventricles, the largest correlation that
        leaves possible, and that of the dimension.
    """
    dataset = space.trained.dataset(load_datalist(dataset_dir, space.part), min_area_mm2=min(AREAS_MM2))
    brain = (dataset.tissue.classes > 0).sum((1, 2)) * float(np.prod(dataset.tissue.spacing_mm))
    values = dataset.attributes[:, dataset.names.index(ATTRIBUTE)].numpy()
    codes = space.model.encode(dataset.tissue.classes)[:, space.dims[ATTRIBUTE]]
    rows = []
    for area in AREAS_MM2:
        of = brain >= area
        empty = float((values[of] == 0).mean()) if of.any() else np.nan
        known = of.sum() > 1 and np.ptp(values[of]) > 0
        rows.append(
            {
                "min_area_mm2": area,
                "slices": int(of.sum()),
                "without_ventricles": round(empty, 4),
                "largest_possible": round(largest_spearman(empty), 4),
                "spearman_own": round(float(spearmanr(values[of], codes[of]).statistic), 4) if known else np.nan,
            }
        )
    return pd.DataFrame(rows)
