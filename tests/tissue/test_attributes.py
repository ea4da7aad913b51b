# SPDX-License-Identifier: Apache-2.0
"""Attributes of shapes whose values are known in closed form, and of random masks against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from skimage.measure import label, regionprops

from scripts.tissue import ATTRIBUTES, UNITS, SliceAttributesd, attribute_table, slice_attributes
from scripts.tissue.thickness import ribbon_thickness
from tests.helpers.toy_brain import toy_slice

FINE = {"shape": (161, 143), "spacing_mm": (1.0, 1.3)}  # odd, not square, pixels neither


def attributes_of(mask: np.ndarray, spacing_mm: tuple[float, float], **kwargs: object) -> dict[str, float]:
    return {name: float(v[0]) for name, v in slice_attributes(mask[None], spacing_mm, **kwargs).items()}


def test_an_ellipse_has_the_values_of_its_formulas():
    length, width, centre, ventricle = 60.0, 48.0, (7.0, -4.0), 10.0
    mask = toy_slice(length, width, centre, ventricle, cortex=0.25, **FINE)
    found = attributes_of(mask, FINE["spacing_mm"], level=[0.3])
    area = np.pi * length * width
    outline = 2 * np.pi * np.sqrt((length**2 + width**2) / 2)
    pixel_error = 0.1 * outline  # a tenth of a pixel along the outline
    assert found["brain_area"] == pytest.approx(area, abs=pixel_error)
    assert found["ventricle_area"] == pytest.approx(2 * np.pi * 0.7 * ventricle**2, rel=0.02)
    assert found["grey_area"] == pytest.approx(area * (1 - 0.75**2), abs=2 * pixel_error)
    assert found["white_area"] == pytest.approx(area * 0.75**2 - 1.4 * np.pi * ventricle**2, abs=2 * pixel_error)
    assert found["white_fraction"] == pytest.approx(found["white_area"] / found["brain_area"])
    assert found["centroid_anterior"] == pytest.approx(-7, abs=0.1)  # below the middle is behind it
    assert found["centroid_right"] == pytest.approx(4, abs=0.1)  # left in the image is the subject's right
    assert found["aspect"] == pytest.approx(length / width, rel=0.005)
    assert abs(found["ventricle_asymmetry"]) < 0.02
    assert found["slice_level"] == 0.3


@pytest.mark.parametrize(("rows", "columns"), [(3, 11), (8, 2), (1, 1)])
def test_a_rectangle_is_measured_exactly(rows: int, columns: int):
    mask = np.zeros((17, 13), dtype=np.uint8)
    mask[2 : 2 + rows, 1 : 1 + columns] = 3
    found = attributes_of(mask, (2.0, 0.5))
    assert found["brain_area"] == rows * columns
    assert found["aspect"] == pytest.approx(4 * rows / columns)
    assert found["centroid_anterior"] == pytest.approx(2 * (8 - (2 + (rows - 1) / 2)))
    assert found["centroid_right"] == pytest.approx(0.5 * (6 - (1 + (columns - 1) / 2)))
    assert np.isnan(found["ventricle_asymmetry"])
    assert np.isnan(found["grey_matter_depth"])
    assert np.isnan(found["slice_level"])


def test_moments_agree_with_regionprops():
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 4, (4, 19, 23)).astype(np.uint8)
    found = slice_attributes(masks, (2.0, 2.0))
    for i, mask in enumerate(masks):
        (properties,) = regionprops(label(mask > 0, connectivity=2).clip(max=1), spacing=(2.0, 2.0))
        row, column = properties.centroid
        assert found["brain_area"][i] == properties.area
        assert found["centroid_anterior"][i] == pytest.approx(2 * 9 - row)
        assert found["centroid_right"][i] == pytest.approx(2 * 11 - column)
        central = properties.moments_central
        spread = [central[2, 0] / central[0, 0] + 4 / 12, central[0, 2] / central[0, 0] + 4 / 12]
        assert found["aspect"][i] == pytest.approx(np.sqrt(spread[0] / spread[1]))


@pytest.mark.parametrize("thickness", [2.0, 3.0, 6.5, 15.0])
def test_the_thickness_of_a_ring_is_that_of_its_formula(thickness: float):
    distance = np.hypot(*np.mgrid[-40:41, -40:41])
    ring = (distance <= 35) & (distance > 35 - thickness)
    exact = ring.sum() / (2 * np.pi * (35 - thickness / 2))  # what the pixels cover, by the length of the middle line
    assert ribbon_thickness(ring[None], (1.0, 1.0))[0] == pytest.approx(exact, rel=0.12)  # its borders are stairs


@pytest.mark.parametrize("pixels", [1, 2, 3, 4, 7])
def test_the_thickness_of_a_long_straight_ribbon_is_exact(pixels: int):
    mask = np.zeros((1, 30, 4000), dtype=bool)
    mask[0, 10 : 10 + pixels] = True
    found = ribbon_thickness(mask, (1.5, 1.5))[0]
    assert found == pytest.approx(1.5 * pixels, rel=0.002)  # its two ends


def test_the_asymmetry_counts_the_right_side_positive_wherever_the_head_lies():
    mask = np.zeros((21, 31), dtype=np.uint8)
    mask[3:18, 5:20] = 3
    mask[8:11, 6:10] = 1  # 12 pixels on the left of the image
    mask[8:10, 16:18] = 1  # 4 pixels on the right
    found = slice_attributes(np.stack([mask, np.roll(mask, 7, axis=1), mask[:, ::-1]]), (1.0, 1.0))
    np.testing.assert_allclose(found["ventricle_asymmetry"], [0.5, 0.5, -0.5])


def test_what_is_not_there_has_no_shape():
    found = attributes_of(np.zeros((5, 7), dtype=np.uint8), (1.0, 1.0))
    areas = {"brain_area", "ventricle_area", "grey_area", "white_area"}
    assert {name: value for name, value in found.items() if name in areas} == dict.fromkeys(areas, 0.0)
    assert all(np.isnan(value) for name, value in found.items() if name not in areas)


def test_a_batch_is_measured_like_its_slices():
    rng = np.random.default_rng(1)
    masks = rng.integers(0, 4, (5, 9, 11))
    table = attribute_table(masks, (1.0, 2.0), np.linspace(0, 1, 5))
    assert table.shape == (5, len(ATTRIBUTES)) == (5, len(UNITS))
    for i in range(5):
        np.testing.assert_array_equal(table[i], attribute_table(masks[i : i + 1], (1.0, 2.0), [i / 4])[0])


def test_the_transform_measures_the_slices_of_a_volume():
    slices = np.stack([toy_slice(), np.zeros_like(toy_slice())])
    volume = MetaTensor(torch.from_numpy(slices)[None].movedim(1, -1), affine=torch.diag(torch.tensor([4.0, 2, 3, 1])))
    data = {"label": volume, "subject": "a"}
    attributes = SliceAttributesd("label", names=("slice_level", "brain_area"))(data)["attributes"]
    assert attributes["slice_level"].tolist() == [0.25, 0.75]
    assert attributes["brain_area"].tolist() == [(toy_slice() > 0).sum() * 8, 0]
    assert set(data) == {"label", "subject"}


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"shape \(N, H, W\), got \(5, 7\)"):
        slice_attributes(np.zeros((5, 7)), (1.0, 1.0))
    with pytest.raises(ValueError, match=r"attributes \['weight'\] are unknown: choose from brain_area"):
        slice_attributes(np.zeros((1, 5, 7)), (1.0, 1.0), names=["weight"])
