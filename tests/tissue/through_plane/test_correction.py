# SPDX-License-Identifier: Apache-2.0
"""Correction in a latent space of ellipses, where the answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scripts.tissue import ConsistencyThresholds, correct_sequence, correct_volume, smooth_signal
from scripts.tissue.through_plane.correction import ThroughPlaneConsistencyd
from tests.helpers.toy_brain import decode, encode, toy_slice
from tests.helpers.toy_slices import toy_slices

COUNT, WRONG = 30, 12


@pytest.fixture(scope="module")
def thresholds() -> ConsistencyThresholds:
    names = ("brain_area", "ventricle_area", "aspect")
    return ConsistencyThresholds.learn(toy_slices(20, 0, COUNT), 4.0, names, false_alarm_percent=0.1)


@pytest.fixture(scope="module")
def head() -> np.ndarray:
    return toy_slices(1, 7, COUNT).classes


@pytest.fixture(scope="module")
def damaged(head: np.ndarray) -> np.ndarray:
    masks = head.copy()
    masks[WRONG] = toy_slice(length=50, width=70)
    return masks


def probabilities(codes: np.ndarray) -> np.ndarray:
    """The decoder of the toy space is sure of every pixel."""
    return np.eye(4)[decode(codes)].transpose(0, 3, 1, 2)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * ((a == b) & (b > 0)).sum() / ((a > 0).sum() + (b > 0).sum())


def test_a_consistent_volume_stays_as_it_is(head: np.ndarray, thresholds: ConsistencyThresholds):
    result = correct_volume(head, encode, probabilities, thresholds)
    np.testing.assert_array_equal(result.classes, head)
    assert result.consistent
    assert not result.wrong.any()


def test_a_wrong_slice_is_restored_and_no_other_touched(
    head: np.ndarray, damaged: np.ndarray, thresholds: ConsistencyThresholds
):
    before = damaged.copy()
    result = correct_volume(damaged, encode, probabilities, thresholds)
    np.testing.assert_array_equal(damaged, before)
    assert np.flatnonzero(result.wrong).tolist() == [WRONG]
    assert result.consistent
    others = np.arange(COUNT) != WRONG
    np.testing.assert_array_equal(result.classes[others], head[others])
    assert dice(damaged[WRONG], head[WRONG]) < 0.85
    assert dice(result.classes[WRONG], head[WRONG]) > 0.93


def test_an_empty_slice_is_filled(head: np.ndarray, thresholds: ConsistencyThresholds):
    masks = head.copy()
    masks[WRONG] = 0

    def encode_with_nothing(slices: np.ndarray) -> np.ndarray:
        return np.stack([encode(one[None])[0] if one.any() else np.zeros(3) for one in slices])

    result = correct_volume(masks, encode_with_nothing, probabilities, thresholds)
    assert np.flatnonzero(result.wrong).tolist() == [WRONG]
    assert result.consistent
    assert dice(result.classes[WRONG], head[WRONG]) > 0.9


def test_what_cannot_be_made_consistent_is_said(damaged: np.ndarray, thresholds: ConsistencyThresholds):
    strict = replace(thresholds, limit=1e-9)  # pixels are too coarse for it
    assert not correct_volume(damaged, encode, probabilities, strict).consistent


def test_a_latent_that_knows_nothing_is_made_up_for_by_the_neighbours(
    head: np.ndarray, damaged: np.ndarray, thresholds: ConsistencyThresholds
):
    def tiny(codes: np.ndarray) -> np.ndarray:
        return probabilities(np.full((len(codes), 3), 8.0))

    result = correct_volume(damaged, encode, tiny, thresholds)
    assert result.consistent
    assert dice(result.classes[WRONG], head[WRONG]) > dice(damaged[WRONG], head[WRONG])


def test_the_published_way_finds_the_smallest_weight():
    rng = np.random.default_rng(0)
    codes = np.cumsum(rng.normal(size=(25, 3)), axis=0)
    codes[11, 0] += 9

    def consistent(values: np.ndarray) -> bool:
        return bool(np.abs(np.diff(values[:, 0], 2)).max() <= 2)

    result = correct_sequence(codes, [0, 2], consistent)
    weights = np.arange(0, 129, 4)  # five halvings of 128
    smallest = next(w for w in weights if consistent(smooth_signal(codes, [w, 50, w])))
    assert 0 < smallest < 128
    np.testing.assert_allclose(result, smooth_signal(codes, [smallest, 50, smallest]))
    never = correct_sequence(codes, [0, 2], lambda _: False)
    np.testing.assert_allclose(never, smooth_signal(codes, [128, 50, 128]))


def test_the_transform_corrects_a_volume(damaged: np.ndarray, thresholds: ConsistencyThresholds, tmp_path: Path):
    thresholds.save(tmp_path / "consistency.json")
    model = SimpleNamespace(encode=encode, probabilities=probabilities)
    transform = ThroughPlaneConsistencyd("pred", model, tmp_path / "consistency.json")
    volume = torch.from_numpy(damaged.transpose(1, 2, 0)[None].copy())
    before = volume.clone()
    result = transform({"pred": volume, "other": 1})
    expected = correct_volume(damaged, encode, probabilities, thresholds)
    torch.testing.assert_close(result["pred"], torch.from_numpy(expected.classes.transpose(1, 2, 0)[None].copy()))
    assert (result["pred_inconsistent"], result["pred_consistent"], result["other"]) == ([WRONG], True, 1)
    torch.testing.assert_close(volume, before)
    assert transform(result)["pred_inconsistent"] == []
