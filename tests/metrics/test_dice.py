# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import compute_dice

from scripts.metrics import dice, dice_of_subjects, mean_dice

CLASSES = {"ventricle": 1, "grey": 2, "white": 3}


def test_dice_of_half_overlapping_masks():
    a = np.zeros((4, 5, 6), dtype=bool)
    b = a.copy()
    a[:2], b[1:3] = True, True
    assert dice(a, b) == 0.5
    assert dice(a, a) == 1.0
    assert dice(a, a & False) == 0.0
    assert np.isnan(dice(a & False, a & False))


def test_dice_agrees_with_monai_mask_by_mask():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 7, 5, 6)) > 0.6
    expected = compute_dice(torch.from_numpy(a)[:, None], torch.from_numpy(b)[:, None])[:, 0]
    assert dice(a, b, (1, 2)) == pytest.approx(expected.numpy())


def test_mean_dice_is_the_mean_over_the_tissues_that_are_there():
    label = np.array([[[0, 1, 2, 2]]], np.uint8)
    mask = np.array([[[0, 1, 2, 0]]], np.uint8)
    assert mean_dice(mask, label, CLASSES.values())[0] == pytest.approx((1 + 2 / 3) / 2)  # no white matter in either
    assert mean_dice(label, label, CLASSES.values())[0] == 1
    assert mean_dice(label * 0, label, CLASSES.values())[0] == 0
    assert np.isnan(mean_dice(label * 0, label * 0, CLASSES.values())[0])


def test_slices_of_a_subject_count_together():
    label = np.array([[[1, 2, 2]], [[1, 1, 1]], [[0, 0, 3]]], np.uint8)
    mask = np.array([[[1, 2, 0]], [[1, 0, 0]], [[0, 0, 3]]], np.uint8)
    rows = dice_of_subjects(mask, label, np.array(["b", "b", "a"]), CLASSES)
    assert [(row["subject"], row["class"]) for row in rows] == [(s, c) for s in "ab" for c in CLASSES]
    values = [row["dice"] for row in rows]
    assert values == pytest.approx([np.nan, np.nan, 1.0, 4 / 6, 2 / 3, np.nan], nan_ok=True)
