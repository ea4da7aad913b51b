# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation

from scripts.pages.comparison import Column, comparison_figure, difference_scale, image_scale, sd_scale

SPOT_MM = (8.0, 12.0, 8.0)
GREY = image_scale(0.0, 1.0, "intensity")


def volumes(codes: str) -> tuple[MetaTensor, torch.Tensor]:
    """A box with a spot right, in front and above, as image, change and mask; and the affine."""
    affine = torch.diag(torch.tensor([2.0, 2.0, 4.0, 1.0], dtype=torch.float64))
    affine[:3, 3] = torch.tensor([-28.0, -38.0, -32.0])
    stack = torch.zeros(3, 30, 40, 18)
    stack[0, 4:25, 4:35, 2:16] = 0.5
    stack[2] = (stack[0] > 0).float()
    x, y, z = ((np.array(SPOT_MM) - affine[:3, 3].numpy()) / [2, 2, 4]).round().astype(int)
    stack[1, x, y, z] = -0.2
    turned = Orientation(codes, labels=None)(MetaTensor(stack, affine=affine))
    return turned.as_tensor(), turned.affine


@pytest.mark.parametrize("codes", ["RAS", "LPI", "SAR"])
def test_slices_go_through_the_change_whatever_the_orientation_of_the_file(codes):
    (image, change, mask), affine = volumes(codes)
    columns = [Column("before", image, GREY), Column("difference", change, difference_scale(0.3, "after - before"))]
    figure = comparison_figure(columns, affine, mask, change)
    places = [next(text.get_text() for text in axis.texts if "mm" in text.get_text()) for axis in figure.axes[1:6:2]]
    assert places == ["z 8 mm", "y 12 mm", "x 8 mm"]
    letters = [[text.get_text() for text in axis.texts][:2] for axis in figure.axes[1:6:2]]
    assert letters == [["R", "L"], ["R", "L"], ["A", "P"]]
    for axis in figure.axes[1:6:2]:
        shown = axis.images[0].get_array()
        row, column = np.argwhere(shown < 0).mean(axis=0)
        assert column < shown.shape[1] / 2
        assert row < shown.shape[0] / 2
    assert figure.axes[2].images[0].axes.get_aspect() == pytest.approx(2.0)  # coronal: 4 mm high, 2 mm wide


def test_every_scale_has_one_bar_and_zero_is_in_the_middle_of_differences():
    (image, change, mask), affine = volumes("RAS")
    columns = [
        Column("before", image, GREY),
        Column("after", image + change, GREY),
        Column("difference", change, difference_scale(0.3, "after - before")),
        Column("uncertainty", torch.full_like(image, torch.nan), sd_scale(0.3, "standard deviation")),
    ]
    figure = comparison_figure(columns, affine, mask, torch.zeros_like(change), ["axial"])
    assert [axis.get_title() for axis in figure.axes[:4]] == ["before", "after", "difference", "uncertainty"]
    assert [axis.get_xlabel() for axis in figure.axes[4:]] == ["intensity", "after - before", "standard deviation"]
    assert figure.axes[2].images[0].get_clim() == (-0.3, 0.3)
    assert "50 mm" in [text.get_text() for text in figure.axes[0].texts]
    assert figure.axes[0].texts[2].get_text() == "z 4 mm"  # no change: the middle
