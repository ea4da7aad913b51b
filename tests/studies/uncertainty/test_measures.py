# SPDX-License-Identifier: Apache-2.0
"""Measures of uncertainty on cases that can be counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr, rankdata

from scripts.studies.uncertainty.measures import (
    best_threshold,
    calibration_errors,
    correlation,
    correlation_interval,
    error_overlaps,
    slice_dice,
    slice_uncertainty,
)

SUBJECTS = np.array(["a", "a", "b"])


def test_dice_counts_the_pixels_of_all_classes_together():
    label = torch.tensor([[[0, 1, 2, 3], [0, 0, 3, 3]]])
    predicted = torch.tensor([[[0, 1, 3, 3], [0, 2, 3, 0]]])
    assert slice_dice(predicted, label) == pytest.approx([2 * 3 / (5 + 5)])
    assert slice_dice(label, label) == pytest.approx([1.0])


def test_uncertainty_of_a_slice_is_per_pixel_of_brain():
    maps = torch.full((2, 3, 4), 0.25)
    predicted = torch.zeros(2, 3, 4, dtype=torch.long)
    predicted[0, 0] = 2
    assert slice_uncertainty(maps, predicted).tolist() == [12 * 0.25 / 4, 12 * 0.25]


def test_correlations():
    x, y = np.array([1.0, 2, 3, 4, 10]), np.array([1.0, 3, 2, 5, 4])
    ranks = np.corrcoef(rankdata(x), rankdata(y))[0, 1]
    assert correlation(x, y) == pytest.approx(ranks)
    assert correlation(x, y, pearsonr) == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert np.isnan(correlation(np.ones(5), y))


def test_the_interval_resamples_subjects_and_holds_the_value():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    y = x + rng.normal(size=200)
    subjects = np.repeat([f"{i:02d}" for i in range(20)], 10)
    low, high = correlation_interval(x, y, subjects)
    assert low < correlation(x, y) < high
    assert 0.05 < high - low < 0.4
    # copies of the slices of a subject are no further evidence
    repeated = correlation_interval(np.tile(x, 5), np.tile(y, 5), np.tile(subjects, 5))
    assert repeated == pytest.approx((low, high), abs=0.01)
    assert np.isnan(correlation_interval(x, y, np.full(200, "a"))).all()


def test_calibration_error_of_a_constant_map():
    predicted = torch.ones(3, 2, 4, dtype=torch.long)
    label = predicted.clone()
    label[0, 0] = 2  # of subject a, 4 pixels of 16 are wrong; of b, none
    maps = torch.full((3, 2, 4), 0.1)
    assert calibration_errors(maps, predicted, label, SUBJECTS) == pytest.approx([0.9 - 0.75, 1 - 0.9], abs=1e-6)
    perfect = (predicted != label).float()
    assert calibration_errors(perfect, predicted, label, SUBJECTS) == pytest.approx([0, 0], abs=1e-6)


def test_pixels_that_all_call_background_do_not_count():
    predicted = torch.zeros(1, 4, 4, dtype=torch.long)
    label = predicted.clone()
    label[0, 0, :2] = 1  # missed: counts
    error = calibration_errors(torch.zeros(1, 4, 4), predicted, label, np.array(["a"]))
    assert error == pytest.approx([1.0])


def test_overlap_is_that_of_each_head():
    error = torch.zeros(3, 2, 2, dtype=torch.bool)
    error[0, 0, 0] = error[1, 0, 0] = True
    maps = torch.zeros(3, 2, 2)
    maps[0, 0] = 0.6  # one of the two right
    assert error_overlaps(maps, error, SUBJECTS, 0.5).tolist() == [2 * 1 / (2 + 2), 1.0]
    assert error_overlaps(maps, error, SUBJECTS, 0.7).tolist() == [0.0, 1.0]


def test_the_threshold_is_where_uncertain_pixels_are_wrong():
    maps = torch.linspace(0.0125, 0.9875, 40).repeat(3, 2, 1)  # between the thresholds
    assert best_threshold(maps, maps > 0.61, SUBJECTS) == pytest.approx(0.6)
