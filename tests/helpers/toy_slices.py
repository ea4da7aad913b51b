# SPDX-License-Identifier: Apache-2.0
"""Slices of several toy heads."""

from __future__ import annotations

import numpy as np

from scripts.tissue import TissueSlices, slice_levels
from tests.helpers.toy_brain import SPACING_MM, toy_head


def toy_slices(heads: int, seed: int, count: int = 15) -> TissueSlices:
    """Whole toy heads of ``count`` slices each."""
    rng = np.random.default_rng(seed)
    classes = np.concatenate([toy_head(rng, count) for _ in range(heads)])
    subject = np.repeat([f"s{i}" for i in range(heads)], count)
    return TissueSlices(
        classes, np.tile(slice_levels(count), heads), subject, np.tile(np.arange(count), heads), SPACING_MM
    )
