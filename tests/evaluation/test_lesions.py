# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scripts.evaluation.lesion_kinds import LESION_KINDS, Site, cubic
from scripts.evaluation.lesions import put_lesions

SHAPE = (52, 48, 44)
RNG = np.random.default_rng(0)
GRID = np.indices(SHAPE) - np.array(SHAPE)[:, None, None, None] / 2 + 0.5
RADIUS = np.sqrt((GRID**2).sum(0))
BRAIN = RADIUS < 20
FOLDS = np.sin(GRID[0] / 2) * np.sin(GRID[1] / 2) * np.sin(GRID[2] / 2)
HEAD = (np.where(BRAIN, 0.6 + 0.4 * np.clip(FOLDS, -1, 0) + 0.02 * RNG.standard_normal(SHAPE), 0)).clip(min=0)
HEAD = HEAD.astype(np.float32)


def site(contrast: float, image: np.ndarray, radius: float = 12.0) -> Site:
    """A ball in the middle of a box of 2 mm voxels."""
    offsets = 2.0 * (np.indices(image.shape) - (np.array(image.shape)[:, None, None, None] - 1) / 2)
    distance = np.sqrt((offsets**2).sum(0)) / radius
    return Site(
        image, offsets, distance, (distance < 1).astype(float), radius, contrast, image[::-1] / 2, np.full(3, 2.0), 2,
        np.random.default_rng(1),
    )  # fmt: skip


@pytest.mark.parametrize("kind", LESION_KINDS)
def test_lesions_are_where_the_mask_and_the_list_say(kind):
    found = 0
    for seed in range(4):
        image, mask, lesions = put_lesions(HEAD, BRAIN, kind, seed, number=(2, 3), diameter_mm=(10, 14))
        assert image.dtype == np.float32
        assert np.array_equal(image[~BRAIN], HEAD[~BRAIN])
        assert not mask[~BRAIN].any()
        assert sorted(set(mask.ravel())) == list(range(len(lesions) + 1))
        change = np.abs(image.astype(float) - HEAD)
        near = ndimage.distance_transform_edt(mask == 0) * 2 <= 14
        assert change[~near].max() == 0
        for number, lesion in enumerate(lesions, 1):
            there = mask == number
            assert lesion.kind == kind
            assert there[lesion.centre]
            assert np.abs(ndimage.center_of_mass(there) - np.array(lesion.centre)).max() < 1.5
            assert lesion.change == pytest.approx(np.sqrt((change[there] ** 2).mean()), rel=1e-3)
            assert lesion.change >= 0.03
            assert abs(lesion.contrast) <= LESION_KINDS[kind].contrast[1]
            assert 8 <= lesion.diameter_mm <= 16
        found += len(lesions)
    assert found >= 6


def test_lesions_depend_on_seed_and_kind_alone():
    first, second = (put_lesions(HEAD, BRAIN, "bright", 5) for _ in range(2))
    assert np.array_equal(first[0], second[0])
    assert first[2] == second[2]
    assert first[2] != put_lesions(HEAD, BRAIN, "bright", 6)[2]
    centres = {put_lesions(HEAD, BRAIN, kind, 5)[2][0].centre for kind in ("bright", "dark", "soft_ellipsoid")}
    assert len(centres) == 3


@pytest.mark.parametrize(("kind", "sign"), [("bright", 1), ("dark", -1)])
def test_bright_and_dark_lesions_have_their_contrast(kind, sign):
    image, mask, lesions = put_lesions(HEAD, BRAIN, kind, 0, (1, 1), (14, 14), contrast=(0.2, 0.2))
    assert lesions[0].contrast == pytest.approx(sign * 0.2)
    middle = ndimage.binary_erosion(mask > 0, iterations=2)
    assert (image - HEAD)[middle].mean() == pytest.approx(sign * 0.2, abs=0.03)
    noise = RNG.random((25, 25, 25))
    there = site(0.2, noise).distance < 1
    filled = LESION_KINDS[kind].fill(site(0.2, noise))
    np.testing.assert_allclose(filled[there], (noise[there] + noise[there].mean()) / 2 + 0.2)


def test_diameters_are_those_of_balls_of_the_same_volume():
    for seed in range(4):
        _, mask, (lesion,) = put_lesions(HEAD, BRAIN, "soft_ellipsoid", seed, (1, 1), (14, 18))
        volume = (mask > 0).sum() * 8.0
        assert (6 * volume / np.pi) ** (1 / 3) == pytest.approx(lesion.diameter_mm, rel=0.05)
    fine = put_lesions(HEAD, BRAIN, "bright", 1, (1, 1), (8, 8), spacing_mm=(1.0, 1.0, 1.0))
    coarse = put_lesions(HEAD, BRAIN, "bright", 1, (1, 1), (8, 8))
    assert (fine[1] > 0).sum() / (coarse[1] > 0).sum() == pytest.approx(8, rel=0.25)


def test_a_wrong_texture_keeps_the_mean_and_takes_the_pattern():
    image = RNG.random((25, 25, 25))
    there = site(0.1, image).distance < 1
    filled = LESION_KINDS["wrong_texture"].fill(site(0.1, image))
    assert filled[there].mean() == pytest.approx(image[there].mean(), abs=0.03)
    assert abs(np.corrcoef(filled[there], image[there])[0, 1]) < 0.1
    assert filled[there].std() == pytest.approx(0.1, rel=0.3)
    assert np.array_equal(filled[~there], image[~there])


def test_a_mass_moves_the_tissue_around_it_without_compressing_it():
    distance = site(0.6, np.zeros((41, 41, 41)), 16).distance
    before = np.clip((0.9 - distance) * 8 + 0.5, 0, 1)
    after = LESION_KINDS["mass_effect"].fill(site(0.6, before, 16))
    grown = (after > 0.5).sum() - (before > 0.5).sum()
    assert grown == pytest.approx((distance < 0.6).sum(), rel=0.1)  # the volume of the mass
    assert np.array_equal(after[distance > 2], before[distance > 2])


def test_atrophy_widens_what_is_dark():
    image = np.full((25, 25, 25), 0.6)
    image[:, 12] = 0.1
    there = site(1.0, image).distance < 1
    dark = (LESION_KINDS["atrophy"].fill(site(1.0, image)) < 0.3) & there
    assert dark.any(1).sum() < dark.sum() == pytest.approx(3 * ((image < 0.3) & there).sum(), rel=0.1)
    half = LESION_KINDS["atrophy"].fill(site(0.5, image))
    assert half[12, 11, 12] == pytest.approx(0.35)


def test_foreign_tissue_has_the_mean_of_its_new_place():
    image = RNG.random((25, 25, 25)) + np.linspace(0, 1, 25)[:, None, None] ** 2
    there = site(1.0, image).distance < 1
    filled = LESION_KINDS["foreign"].fill(site(1.0, image))
    assert filled[there].mean() == pytest.approx(image[there].mean())
    assert np.corrcoef(filled[there], image[::-1][there])[0, 1] > 0.999
    donor = np.where(BRAIN, 0.3 + 0.1 * RNG.random(SHAPE), 0)
    theirs = put_lesions(HEAD, BRAIN, "foreign", 2, donor=donor)[0]
    assert not np.array_equal(theirs, put_lesions(HEAD, BRAIN, "foreign", 2)[0])


@pytest.mark.parametrize("axis", [0, 2])
def test_asymmetry_stays_on_one_side_and_moves_tissue_sideways(axis):
    for seed in range(4):
        image, _, lesions = put_lesions(HEAD, BRAIN, "asymmetry", seed, (1, 1), (10, 10), lateral_axis=axis)
        sides = np.moveaxis(np.abs(image - HEAD), axis, 0)
        assert len(lesions) == 1
        assert min(sides[: SHAPE[axis] // 2].max(), sides[SHAPE[axis] // 2 :].max()) == 0
    ramp = np.broadcast_to(np.arange(25.0), (25, 25, 25))
    moved = LESION_KINDS["asymmetry"].fill(site(0.5, ramp))
    assert moved[12, 12, 12] == pytest.approx((12 + 0.5 * 12 / 2) * 1.15)


def test_cubic_is_exact_on_voxels_and_on_quadratics():
    x, y, z = np.indices((8, 9, 10)).astype(float)
    image = x**2 - 2 * y * z + z**2
    source = RNG.uniform(1, 6, (3, 5, 4, 3))
    expected = source[0] ** 2 - 2 * source[1] * source[2] + source[2] ** 2
    np.testing.assert_allclose(cubic(image, source), expected, atol=1e-9)
    np.testing.assert_array_equal(cubic(HEAD[:9, :9, 20:30], np.indices((9, 9, 10)).astype(float)), HEAD[:9, :9, 20:30])


@pytest.mark.parametrize("kind", ["bright", "wrong_texture", "foreign"])
def test_what_lies_outside_of_the_brain_does_not_count(kind):
    bright = np.where(BRAIN, HEAD, 5).astype(np.float32)
    donor = np.where(BRAIN, HEAD[::-1], 0)
    first, second = (put_lesions(image, BRAIN, kind, 3, donor=donor) for image in (HEAD, bright))
    np.testing.assert_allclose(first[0][BRAIN], second[0][BRAIN], rtol=1e-6)


def test_lesions_lie_in_tissue():
    half = np.where(GRID[0] < 0, 0.1 * HEAD, HEAD)
    lesions = [lesion for seed in range(5) for lesion in put_lesions(half, BRAIN, "bright", seed)[2]]
    assert len(lesions) >= 5
    assert min(lesion.centre[0] for lesion in lesions) >= SHAPE[0] / 2 - 3


def test_a_head_without_room_gets_fewer_lesions():
    tiny = RADIUS < 3
    _, mask, lesions = put_lesions(HEAD, tiny, "bright", 0, (3, 3), (18, 18))
    assert lesions == []
    assert not mask.any()


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"kind must be one of soft_ellipsoid, .*, got tumour"):
        put_lesions(HEAD, BRAIN, "tumour", 0)
    with pytest.raises(ValueError, match=r"one shape with a brain in it, got \(52, 48, 44\) and \(3, 3, 3\)"):
        put_lesions(HEAD, np.ones((3, 3, 3)), "dark", 0)
