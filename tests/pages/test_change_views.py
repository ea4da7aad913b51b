# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from scripts.pages.change_views import LIMIT, change_figure


def test_the_change_is_shown_in_units_of_the_bright_end():
    before = torch.full((1, 10, 12, 14), 200.0)
    after = before.clone()
    after[:, :6, :7, :8] += 20.0  # through the middle of all planes
    affine = torch.diag(torch.tensor([2.0, 2.0, 4.0, 1.0]))
    head = MetaTensor(before, affine=affine)
    figure = change_figure(head, MetaTensor(after, affine=affine), MetaTensor(torch.full_like(before, 10.0)))
    axes = np.reshape(figure.axes, (3, 4))
    assert [axis.get_title() for axis in axes[0]][:2] == ["as it came", "restored"]
    for row in axes:
        values = row[2].images[0].get_array()
        assert values.min() == 0
        assert values.max() == pytest.approx(0.1)
        assert row[2].images[0].norm.vmax == LIMIT
        assert row[3].images[0].get_array().max() == pytest.approx(0.05)
    coronal, axial = axes[1][0], axes[0][0]
    assert coronal.get_aspect() == 2  # 4 mm high, 2 mm wide
    assert axial.get_aspect() == 1
