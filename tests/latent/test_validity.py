# SPDX-License-Identifier: Apache-2.0
"""What the table of plausible masks is made of."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.latent.validity import mean_dice


def test_mean_dice_is_the_mean_over_the_tissues_that_are_there():
    label = np.array([[[0, 1, 2, 2]]], np.uint8)
    mask = np.array([[[0, 1, 2, 0]]], np.uint8)
    assert mean_dice(mask, label)[0] == pytest.approx((1 + 2 / 3) / 2)  # no white matter in either
    assert mean_dice(label, label)[0] == 1
    assert mean_dice(label * 0, label)[0] == 0
    assert np.isnan(mean_dice(label * 0, label * 0)[0])
