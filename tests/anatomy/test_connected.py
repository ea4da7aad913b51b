# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from scripts.anatomy.connected import connected_to_border


def test_only_what_is_connected_to_the_border_is_reached():
    passable = np.zeros((7, 9, 8), bool)
    passable[0:4, 4, 4] = passable[3, 4:7, 4] = passable[3, 6, 2:5] = passable[1:4, 6, 2] = True  # a bent way in
    expected = passable.copy()
    passable[5, 2, 2] = True
    np.testing.assert_array_equal(connected_to_border(passable), expected)
