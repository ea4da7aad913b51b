# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from monai.data import MetaTensor
from monai.transforms import Orientation

from scripts.pages.map_views import MappedHead

RIGHT_FRONT_MM = (12.0, 20.0, 7.0)
TICKS = {2.0: "2", 6.0: "6"}


def pictures(codes: str) -> MappedHead:
    """A box of 40 x 60 x 50 mm with a spot that is right, in front and above."""
    affine = torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0], dtype=torch.float64))
    affine[:3, 3] = torch.tensor([-28.0, -38.0, -33.0])
    stack = torch.zeros(4, 30, 40, 35)
    stack[0, 4:25, 4:35, 4:30] = 0.5
    stack[3] = (stack[0] > 0).float()
    x, y, z = ((np.array(RIGHT_FRONT_MM) - affine[:3, 3].numpy()) / 2).round().astype(int)
    stack[1, x - 1 : x + 2, y - 1 : y + 2, z - 1 : z + 2] = 5
    stack[2] = (stack[1] > 0).float()
    turned = Orientation(codes, labels=None)(MetaTensor(stack, affine=affine))
    image, values, regions, mask = (part.as_tensor() for part in turned)
    return MappedHead(MetaTensor(image[None], affine=turned.affine), values, regions, mask, 2.0, TICKS, "map")


def texts(figure: Figure) -> list[list[str]]:
    return [[text.get_text() for text in axis.texts] for axis in figure.axes]


@pytest.mark.parametrize("codes", ["RAS", "LPI", "SAR"])
def test_the_right_side_is_on_the_left_whatever_the_orientation_of_the_file(codes):
    figure = pictures(codes).views({"spot": RIGHT_FRONT_MM})
    axial, coronal, sagittal = figure.axes[3:6]
    for axis in (axial, coronal):
        row, column = np.argwhere(~axis.images[1].get_array().mask).mean(axis=0)
        assert column < axis.images[1].get_array().shape[1] / 2 - 2
        assert row < axis.images[1].get_array().shape[0] / 2
    front = np.argwhere(~sagittal.images[1].get_array().mask)[:, 1].mean()
    assert front < sagittal.images[1].get_array().shape[1] / 2 - 2
    assert texts(figure)[:3] == [["R", "L", "z 7 mm"], ["R", "L", "y 20 mm"], ["A", "P", "x 12 mm"]]
    assert texts(figure)[3] == ["1", "R", "L", "z 7 mm"]
    assert len(axial.images) == 2
    assert len(figure.axes[0].images) == 1


def test_a_montage_goes_from_below_to_above_and_its_colours_begin_at_the_line():
    figure = pictures("LPI").montage(2, 3)
    heights = [float(texts[-1].split()[1]) for texts in texts(figure)[:6]]
    assert heights == sorted(heights)
    assert heights[0] > -28
    assert heights[-1] < 28
    assert figure.axes[6].get_xlabel() == "map"
    assert [label.get_text() for label in figure.axes[6].get_xticklabels()] == ["2", "6"]
    mapped = figure.axes[0].images[1]
    assert (mapped.norm.vmin, mapped.norm.vmax) == (2, 6)
