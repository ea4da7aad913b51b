# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from scripts.anomaly.measures import VoxelCounts, false_clusters, found_lesions

RNG = np.random.default_rng(0)


def test_average_precision_is_that_of_scikit_learn():
    truth = RNG.random(5000) < 0.02
    values = np.round(np.clip(RNG.exponential(0.5, 5000) + truth, 0, 4), 2)
    counts = VoxelCounts.of(values, truth)
    assert counts.average_precision == pytest.approx(average_precision_score(truth, values), abs=1e-3)
    dice = [2 * (truth & (values >= t)).sum() / (truth.sum() + (values >= t).sum()) for t in np.unique(values)]
    assert counts.best_dice == pytest.approx(max(dice), abs=2e-3)
    above = values >= 2
    assert counts.dice_at_line == pytest.approx(2 * (truth & above).sum() / (truth.sum() + above.sum()))


def test_counts_of_heads_add_up():
    truth, values = RNG.random(400) < 0.1, RNG.random(400) * 4
    parts = [VoxelCounts.of(values[part], truth[part]) for part in (slice(0, 100), slice(100, 400))]
    assert (parts[0] + parts[1]).average_precision == VoxelCounts.of(values, truth).average_precision


def test_no_lesion_and_nothing_called_is_no_error():
    assert VoxelCounts.of(np.zeros(5), np.zeros(5, bool)).average_precision == 0
    assert VoxelCounts.of(np.zeros(5), np.ones(5, bool)).dice_at_line == 0


def test_a_lesion_is_found_by_a_cluster_that_lies_in_it():
    lesions, clusters = np.zeros((2, 20, 20), dtype=int)
    lesions[2:6, 2:6], lesions[10:14, 10:14] = 1, 2
    clusters[3:5, 3:5] = 1  # inside the first
    clusters[13:, 13:] = 2  # touches the second, and has little of it
    clusters[0, 15:] = 3  # beside both
    assert found_lesions(clusters, lesions, 2) == [True, False]
    assert false_clusters(clusters, lesions) == 1
    assert found_lesions(np.zeros_like(lesions), lesions, 2) == [False, False]
    assert false_clusters(np.zeros_like(lesions), lesions) == 0


def test_neither_a_voxel_in_a_lesion_nor_a_cluster_over_half_the_brain_finds_it():
    lesions, voxel = np.zeros((2, 20, 20), dtype=int)
    lesions[2:6, 2:6] = voxel[3, 3] = 1
    assert found_lesions(voxel, lesions, 1) == [False]  # 1 of 16 voxels of the lesion
    assert found_lesions(np.ones_like(lesions), lesions, 1) == [False]  # 16 of 400 voxels of the cluster
    assert found_lesions(voxel + np.pad(np.ones((1, 1), int), ((3, 16), (4, 15))), lesions, 1) == [True]
