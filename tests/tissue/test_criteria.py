# SPDX-License-Identifier: Apache-2.0
"""What the fourteen criteria measure on shapes that are known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage
from skimage.measure import euler_number, label
from skimage.morphology import convex_hull_image

from scripts.tissue import CRITERIA, measure_criteria
from scripts.tissue.shape import (
    contact_length,
    convexity,
    exterior,
    gap_radius,
    hole_share,
    outline_gaps,
    slice_components,
)
from tests.helpers.toy_brain import SPACING_MM, toy_slice


def measured(mask: np.ndarray, spacing_mm: tuple[float, float] = SPACING_MM) -> dict[str, float]:
    return dict(zip(CRITERIA, measure_criteria(mask[None], spacing_mm)[0].tolist(), strict=True))


def test_a_healthy_toy_brain():
    found = measured(toy_slice())
    rim = (toy_slice() > 0).sum() * 16
    assert found == {
        "brain_gap": 0,
        "brain_components": 1,
        "border_contact": 0,
        "ventricle_exterior": 0,
        "hole_share": 0,
        "white_unity": 1,
        "ventricle_asymmetry": pytest.approx(0),
        "brain_area": rim,
        "convexity": pytest.approx(0.96, abs=0.03),
        "grey_matter_depth": pytest.approx(14, rel=0.25),
        "white_exterior": 0,
        "ventricle_components": 2,
        "side_gap": 0,
        "hull_gap": pytest.approx(4, abs=4),
    }


def hole(mask: np.ndarray) -> None:
    mask[34:39, 20:25] = 0


def second_piece(mask: np.ndarray) -> None:
    mask[2:4, 2:4] = 2


def over_the_border(mask: np.ndarray) -> None:
    mask[:, 20:23] = 3


def ventricle_outside(mask: np.ndarray) -> None:
    mask[28:30, 7:12] = 1


def small_holes(mask: np.ndarray) -> None:
    mask[34:40:2, 18:26:2] = 0


def two_white_pieces(mask: np.ndarray) -> None:
    mask[35][mask[35] > 0] = 2


def one_ventricle(mask: np.ndarray) -> None:
    mask[:, 24:][mask[:, 24:] == 1] = 3


def smaller(mask: np.ndarray) -> None:
    mask[...] = toy_slice(length=70)


def bite(mask: np.ndarray) -> None:
    mask[:24, 19:29] = 0


def bite_of_the_side(mask: np.ndarray) -> None:
    mask[np.hypot(*(np.mgrid[:56, :48] - np.array([28, 9])[:, None, None])) <= 6] = 0


def thick_cortex(mask: np.ndarray) -> None:
    mask[...] = toy_slice(cortex=0.4)


def no_cortex_in_front(mask: np.ndarray) -> None:
    mask[:20][mask[:20] == 2] = 3


def more_ventricles(mask: np.ndarray) -> None:
    mask[38, 18] = mask[41, 24] = 1


@pytest.mark.parametrize(
    ("damage", "name", "direction"),
    [
        (hole, "brain_gap", 1),
        (second_piece, "brain_components", 1),
        (over_the_border, "border_contact", 1),
        (ventricle_outside, "ventricle_exterior", 1),
        (small_holes, "hole_share", 1),
        (two_white_pieces, "white_unity", -1),
        (one_ventricle, "ventricle_asymmetry", 1),
        (smaller, "brain_area", -1),
        (bite, "convexity", -1),
        (thick_cortex, "grey_matter_depth", 1),
        (no_cortex_in_front, "white_exterior", 1),
        (more_ventricles, "ventricle_components", 1),
        (bite_of_the_side, "side_gap", 1),
        (bite, "hull_gap", 1),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_each_criterion_sees_its_damage(damage: Callable[[np.ndarray], None], name: str, direction: int):
    mask = toy_slice()
    before = measured(mask)
    damage(mask)
    assert direction * (measured(mask)[name] - before[name]) > 0.01 * max(1.0, abs(before[name]))


def test_an_empty_slice_is_far_from_a_brain():
    found = measured(np.zeros((7, 9), dtype=np.uint8))
    assert np.isnan(found.pop("convexity"))
    assert np.isnan(found.pop("ventricle_asymmetry"))
    assert set(found.values()) == {0.0}


def test_components_agree_with_scikit_image():
    rng = np.random.default_rng(0)
    masks = rng.random((6, 13, 17)) < 0.4
    masks[2] = False
    for diagonal in (True, False):
        found = slice_components(masks, diagonal)
        labels = [label(mask, connectivity=2 if diagonal else 1) for mask in masks]
        assert found.counts().tolist() == [one.max() for one in labels]
        assert found.largest().tolist() == [int(np.bincount(one.ravel())[1:].max(initial=0)) for one in labels]


def test_holes_are_what_the_exterior_does_not_reach():
    rng = np.random.default_rng(1)
    brain = rng.random((5, 11, 13)) < 0.6
    outside = exterior(brain)
    holes = ~brain & ~outside[:, 1:-1, 1:-1]
    counts = slice_components(holes, diagonal=False).counts()
    pieces = slice_components(brain, diagonal=True).counts()
    assert (pieces - counts).tolist() == [euler_number(mask, connectivity=2) for mask in brain]
    filled = [ndimage.binary_fill_holes(mask).sum() for mask in brain]
    np.testing.assert_allclose(hole_share(brain), [1 - m.sum() / f for m, f in zip(brain, filled, strict=True)])


def test_contact_is_the_length_of_the_edges():
    mask = np.zeros((1, 6, 7), dtype=bool)
    mask[0, 2:4, 1:6] = True
    outside = exterior(mask)
    assert contact_length(mask, outside, (2.0, 3.0))[0] == 2 * (5 * 3 + 2 * 2)
    part = mask.copy()
    part[0, :, 2:] = False  # the left column: its left side, its top and its bottom
    assert contact_length(part, outside, (2.0, 3.0))[0] == 2 * 2 + 2 * 3


@pytest.mark.parametrize("radius", [12.0, 20.0, 30.0])
def test_the_gap_has_the_radius_of_the_hole(radius: float):
    distance = np.hypot(*(2 * np.mgrid[-30:31, -30:31]))
    brain = (distance <= 50) & (distance > radius)
    assert gap_radius(brain[None], (2.0, 2.0))[0] == pytest.approx(radius, abs=2)
    brain[:, 30] = brain[31:, 30] = False  # open through a sulcus
    assert gap_radius(brain[None], (2.0, 2.0))[0] == pytest.approx(radius, abs=2)


def disc(centre: tuple[float, float], radius: float, size: int = 81) -> np.ndarray:
    """A disc in a square image of pixels of 2 mm, all in mm from its middle."""
    at = 2.0 * (np.mgrid[:size, :size] - size // 2)
    return np.hypot(at[0] - centre[0], at[1] - centre[1]) <= radius


def test_what_one_side_lacks_is_a_gap_as_large_as_the_bite_wherever_the_head_lies():
    for middle in (0, 17):
        bitten = disc((0, middle), 60) & ~disc((-6, middle + 50), 16)  # the whole bite lies off the middle
        side, hull = outline_gaps(bitten[None], (2.0, 2.0))[0]
        assert side == pytest.approx(16, abs=6)  # the rim of the head cuts a little off it
        mirrored = outline_gaps(bitten[None, :, ::-1], (2.0, 2.0))[0]
        np.testing.assert_allclose(mirrored, (side, hull))
        assert outline_gaps(disc((0, middle), 60)[None], (2.0, 2.0))[0].max() <= 2


def test_a_bite_in_the_middle_is_no_difference_of_sides_but_a_gap_of_the_hull():
    side, hull = outline_gaps((disc((0, 0), 60) & ~disc((-60, 0), 24))[None], (2.0, 2.0))[0]
    assert side <= 2
    # from the chord of the bite (depth 55) to its deepest point (36), a disc of half of it
    assert hull == pytest.approx(9.5, abs=2)


def test_closed_sulci_and_enclosed_holes_are_no_gaps_of_the_outline():
    brain = disc((0, 0), 60)
    brain[:40, 52:55] = brain[36:45, 20:30] = False  # a sulcus of 6 mm on one side, a hole on the other
    assert outline_gaps(brain[None], (2.0, 2.0))[0].max() <= 4
    assert outline_gaps(np.zeros((2, 7, 9), bool), (2.0, 2.0)).tolist() == [[0, 0], [0, 0]]
    assert outline_gaps(np.zeros((0, 7, 9), bool), (2.0, 2.0)).shape == (0, 2)


def test_convexity_is_one_for_a_rectangle_and_near_that_of_scikit_image():
    masks = np.zeros((3, 20, 24), dtype=bool)
    masks[0, 3:9, 5:20] = True
    masks[1, 4, 7] = True
    masks[2, 3:15, 4:10] = masks[2, 10:15, 4:20] = True
    found = convexity(masks)
    assert found[:2].tolist() == [1, 1]
    assert found[2] == pytest.approx(masks[2].sum() / convex_hull_image(masks[2]).sum(), rel=0.03)
    assert found[2] == pytest.approx((12 * 6 + 5 * 10) / (12 * 6 + 5 * 10 + 7 * 10 / 2))  # the corner is a triangle
    stretched = masks.repeat(3, axis=1)
    np.testing.assert_allclose(convexity(stretched), found)


def test_one_slice_needs_its_axis():
    with pytest.raises(ValueError, match=r"shape \(N, H, W\), got \(7, 9\)"):
        measure_criteria(np.zeros((7, 9)), (1.0, 1.0))
