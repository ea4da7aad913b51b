# SPDX-License-Identifier: Apache-2.0
"""Correction in a latent space of ellipses, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.tissue import CRITERIA, AnatomicalCriteria, LevelBounds, ValidBank, correct_masks, least_change
from tests.helpers.toy_brain import SPACING_MM, decode, encode, toy_slice

LARGEST_AREA = 12_000.0


def only(lower: dict[str, float] | None = None, upper: dict[str, float] | None = None) -> AnatomicalCriteria:
    """Criteria with a few bounds, the same at all levels but for the area, of which the lowest level has half."""
    low, high = np.full((2, len(CRITERIA)), -np.inf), np.full((2, len(CRITERIA)), np.inf)
    for bounds, given in ((low, lower), (high, upper)):
        for name, value in (given or {}).items():
            bounds[:, list(CRITERIA).index(name)] = value
    high[0, list(CRITERIA).index("brain_area")] /= 2
    return AnatomicalCriteria(LevelBounds(np.array([0.0, 1.0]), low, high), SPACING_MM, {})


CRITERION = only(upper={"brain_area": LARGEST_AREA, "ventricle_components": 2})
BANK = np.array([[60.0, 50.0, 10.0], [70.0, 50.0, 10.0], [85.0, 70.0, 12.0], [50.0, 30.0, 8.0]])


@pytest.fixture(scope="module")
def bank() -> ValidBank:
    return ValidBank(BANK, decode, CRITERION)


def test_plausible_masks_stay_as_they_are(bank: ValidBank):
    mask = toy_slice(60, 50)
    mask[28, 22] = 0  # no ellipse any more
    result = correct_masks(mask[None], encode, decode, CRITERION, bank, [1.0])
    np.testing.assert_array_equal(result.masks[0], mask)
    assert (result.was_valid, result.valid) == ([True], [True])
    assert (result.distance, result.nearest, result.decodings) == ([0], [-1], [0])


def test_damage_that_the_latent_space_cannot_express_needs_no_move(bank: ValidBank):
    mask = toy_slice(60, 50)
    mask[24, 24] = mask[34, 24] = 1  # two more ventricles, of a pixel
    result = correct_masks(mask[None], encode, decode, CRITERION, bank, [1.0])
    assert (result.was_valid, result.valid) == ([False], [True])
    assert (result.distance, result.nearest, result.decodings) == ([0], [-1], [1])
    true = toy_slice(60, 50)
    assert 2 * ((result.masks[0] > 0) & (true > 0)).sum() / ((result.masks[0] > 0).sum() + (true > 0).sum()) > 0.98


def test_a_brain_that_is_too_large_moves_to_the_largest_plausible_one(bank: ValidBank):
    """The nearest of the plausible codes is (70, 50), and the area of the ellipse decides where the move ends."""
    start = np.array([[90.0, 62.0, 10.0]])
    mask = decode(start)
    result = correct_masks(mask, encode, decode, CRITERION, bank, [1.0])
    assert (result.was_valid, result.valid) == ([False], [True])
    assert result.nearest.tolist() == [1]  # the third one is nearer, but not plausible
    code = encode(mask)[0]
    move = BANK[1] - code
    shares = np.linspace(0, 1, 10_001)
    areas = np.pi * (code[0] + shares * move[0]) * (code[1] + shares * move[1])
    expected = shares[areas <= LARGEST_AREA][0] * np.linalg.norm(move)
    assert result.distance[0] == pytest.approx(expected, abs=0.6)  # a pixel more or less of the area
    assert (result.masks > 0).sum() * 16 <= LARGEST_AREA
    assert (result.masks > 0).sum() * 16 > 0.985 * LARGEST_AREA
    assert result.decodings.tolist() == [12]  # its own code, the nearest one, ten halvings


def test_more_steps_come_nearer(bank: ValidBank):
    masks = decode(np.array([[90.0, 62.0, 10.0]] * 2))
    distances = [
        correct_masks(masks, encode, decode, CRITERION, bank, [1, 1], steps).distance[0] for steps in (0, 3, 9)
    ]
    assert distances[0] == pytest.approx(np.linalg.norm(BANK[1] - encode(masks)[0]))
    assert distances[0] > distances[1] >= distances[2]


def test_a_batch_is_corrected_like_its_masks(bank: ValidBank):
    masks = decode(np.array([[90.0, 62.0, 10.0], [60.0, 50.0, 10.0], [80.0, 70.0, 12.0]]))
    levels = np.array([1.0, 1.0, np.nan])
    together = correct_masks(masks, encode, decode, CRITERION, bank, levels)
    for i in range(3):
        alone = correct_masks(masks[i : i + 1], encode, decode, CRITERION, bank, levels[i : i + 1])
        np.testing.assert_array_equal(alone.masks[0], together.masks[i])
        assert alone.distance[0] == pytest.approx(together.distance[i])
    assert together.was_valid.tolist() == [False, True, False]


def test_the_bank_answers_for_the_level_that_is_asked(bank: ValidBank):
    code = [[72.0, 52.0, 10.0]]
    assert bank.nearest(code, [1.0]).tolist() == [1]
    assert bank.nearest(code, [0.0]).tolist() == [3]  # only the smallest has half the area
    assert bank.nearest(code, [np.nan]).tolist() == [1]


def test_without_a_plausible_code_the_mask_is_left_and_said_to_be_invalid():
    strict = only(upper={"brain_area": 10.0})
    masks = decode(BANK[:1])
    result = correct_masks(masks, encode, decode, strict, ValidBank(BANK, decode, strict))
    np.testing.assert_array_equal(result.masks, masks)
    assert (result.was_valid, result.valid, result.nearest) == ([False], [False], [-1])


def test_the_codes_are_those_of_the_corrected_masks(bank: ValidBank):
    masks = decode(np.array([[90.0, 62.0, 10.0], [60.0, 50.0, 10.0]]))
    result = correct_masks(masks, encode, decode, CRITERION, bank, [1, 1])
    np.testing.assert_array_equal(decode(result.codes[:1]), result.masks[:1])
    assert np.isnan(result.codes[1]).all()


def test_the_least_change_repairs_the_damage_and_keeps_the_detail():
    no_gaps = only(upper={"brain_gap": 8.0, "ventricle_components": 2})
    plain, given = toy_slice(60, 50), toy_slice(60, 50)
    given[14:17, 20:28:2] = 3  # detail in the cortex that the decoder does not know
    detailed = given.copy()
    given[31:38, 19:27] = 0  # a hole
    scattered = detailed.copy()
    scattered[[22, 25, 36], [24, 18, 24]] = 1  # ventricles of a pixel
    masks = np.stack([given, scattered])
    assert not no_gaps.valid(masks).any()
    probabilities = np.stack([0.1 + 0.6 * (plain == tissue) for tissue in range(4)]) * np.ones((2, 1, 1, 1))
    probabilities[:, :, 12:20] = 0.2 + 0.2 * np.stack([plain[12:20] == tissue for tissue in range(4)])  # less sure
    result = least_change(masks, probabilities, no_gaps)
    assert no_gaps.valid(result).all()
    for mask in result:
        np.testing.assert_array_equal(mask[12:20], detailed[12:20])
    np.testing.assert_array_equal(result[1], detailed)
    assert (result[0] != detailed).sum() < 15


def test_the_least_change_is_at_worst_the_decoded_mask():
    small = only(upper={"brain_area": LARGEST_AREA})
    masks, plain = toy_slice(90, 62)[None], toy_slice(60, 50)
    probabilities = np.stack([(plain == tissue) * 1.0 for tissue in range(4)])[None]
    result = least_change(masks, probabilities, small, [1.0])
    assert small.valid(result, [1.0]).all()
    assert (result != masks).sum() <= (plain != masks).sum()


def test_a_bank_needs_codes():
    with pytest.raises(ValueError, match=r"codes must have the shape \(M, K\) with M > 0, got \(0, 3\)"):
        ValidBank(np.zeros((0, 3)), decode, CRITERION)
