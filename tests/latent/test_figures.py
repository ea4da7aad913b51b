# SPDX-License-Identifier: Apache-2.0
"""Stacks of images as NIfTI files, and what the figures of a latent space show."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from scripts.latent.figures import code_figure, conditional_figure, mask_grid, save_stack, slice_grid

RNG = np.random.default_rng(0)


def test_a_stack_keeps_anterior_and_right_where_they_are(tmp_path):
    masks = np.zeros((3, 8, 6), np.uint8)
    masks[2, 1, 4] = 3
    save_stack(masks, (4.0, 2.0), tmp_path / "stack.nii.gz")
    image = nib.load(tmp_path / "stack.nii.gz")
    assert image.shape == (8, 6, 3)
    assert nib.aff2axcodes(image.affine) == ("P", "L", "S")
    assert image.header.get_zooms() == (4.0, 2.0, 1.0)
    assert np.argwhere(image.get_fdata() == 3).tolist() == [[1, 4, 2]]


@pytest.mark.parametrize(("grid", "white"), [(mask_grid, 3), (slice_grid, 1)])
def test_every_image_is_in_its_row_and_column(grid, white):
    rows = [RNG.random((3, 5, 4)), RNG.random((2, 5, 4))]
    figure = grid(rows, ["first", "second"], ["a", "b", "c"])
    for axis, (row, column) in zip(figure.axes, np.ndindex(2, 3), strict=True):
        for image, expected in zip(axis.images, rows[row][column : column + 1], strict=True):
            np.testing.assert_array_equal(image.get_array(), expected)
            assert image.get_clim() == (0, white)
        assert axis.get_ylabel() == (("first", "second")[row] if column == 0 else "")
        assert axis.get_title() == ("abc"[column] if row == 0 else "")


def test_correlations_stand_in_their_cells_above_the_divergences():
    matrix = np.array([[0.25, -0.75, 0.5], [1.0, 0.0, -0.49]])
    kl = [0.5, 2.0, 0.25]
    top, bottom = code_figure(matrix, ["grey_area", "level"], kl).axes[:2]
    np.testing.assert_array_equal(top.images[0].get_array(), matrix)
    assert top.images[0].get_clim() == (-1, 1)
    assert [label.get_text() for label in top.get_yticklabels()] == ["grey area", "level"]
    said = {(round(y), round(x)): text.get_text() for text in top.texts for x, y in [text.get_position()]}
    assert said == {(0, 1): "-.75", (0, 2): ".50", (1, 0): "1.00"}
    assert [bar.get_height() for bar in bottom.patches] == kl


def test_what_was_measured_is_drawn_over_what_was_wanted():
    wanted, measured = ([RNG.random(6), 10 + RNG.random(6)] for _ in range(2))
    for axis, x, y in zip(conditional_figure(wanted, measured, ["a", "b"]).axes, wanted, measured, strict=True):
        dots, diagonal = axis.lines
        np.testing.assert_array_equal(dots.get_data(), (x, y))
        np.testing.assert_array_equal(diagonal.get_data(), [[x.min(), x.max()]] * 2)
        assert axis.get_xlabel() == "wanted"
