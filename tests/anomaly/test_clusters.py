# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from scripts.anomaly.clusters import cluster_strengths, label_clusters, named_clusters, standing_out
from tests.helpers.toy_scores import SHAPE, toy_head


def values_with(*boxes: tuple[slice, ...], value: float = 4.0) -> np.ndarray:
    values = np.ones(SHAPE, dtype=np.float32)
    for box in boxes:
        values[box] = value
    return values


def test_a_compact_cluster_is_stronger_than_a_sheet():
    ball, sheet = np.s_[20:25, 20:25, 20:25], np.s_[35:36, 10:50, 10:40]
    labels = label_clusters(values_with(ball, sheet))
    assert labels.max() == 2
    strengths = cluster_strengths(labels, values_with(ball, sheet))
    assert strengths[labels[22, 22, 22] - 1] > 1.5 * strengths[labels[35, 30, 20] - 1]


def test_two_voxels_and_corners_are_no_cluster():
    assert label_clusters(values_with(np.s_[10:12, 10:11, 10:11])).max() == 0
    diagonal = values_with(np.s_[10:11, 10:13, 10:11], np.s_[11:12, 13:16, 10:11])
    assert label_clusters(diagonal).max() == 2
    assert len(cluster_strengths(label_clusters(np.zeros(SHAPE)), np.zeros(SHAPE))) == 0


def test_a_cluster_is_named_by_its_place():
    head = toy_head()
    values = values_with(np.s_[25:28, 36:39, 29:32])
    values[26, 37, 30] = 3.7
    values[26, 38, 31] = 3.9
    labels = label_clusters(values)
    values[26, 37, 30], values[26, 38, 31] = 4.5, 4.1
    numbers = np.array([0.04]), np.array([0.1]), np.array([0.2])
    (cluster,) = named_clusters(labels, values, head, *numbers)
    assert (cluster.index, cluster.p, cluster.false_per_head, cluster.q) == (1, 0.04, 0.1, 0.2)
    assert cluster.volume_mm3 == 27 * 8
    assert cluster.peak == 4.5
    assert (cluster.x_mm, cluster.y_mm, cluster.z_mm) == pytest.approx(tuple(head.affine @ [26, 37, 30, 1])[:3])
    assert cluster.name.startswith("right ")  # right of the middle, where x is larger


def test_beside_called_clusters_voxels_stay_below_the_line_in_their_order():
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 1.9, SHAPE).astype(np.float32)
    finding, other = np.s_[20:25, 20:25, 20:25], np.s_[35:38, 30:33, 20:23]
    values[finding], values[other] = 3.0, 4.0
    values[25, 22, 22] = 2.2  # at the rim of the finding
    values[30, 45, 10] = 2.05  # a speck
    labels = label_clusters(values)
    called = labels == labels[22, 22, 22]
    shown = standing_out(values, called, 2.0)
    np.testing.assert_array_equal(shown > 2, (values == 3) | (values == np.float32(2.2)))
    assert (shown <= values).all()
    beside = np.ones(SHAPE, bool)
    beside[finding] = beside[25, 22, 22] = False
    order = np.argsort(values[beside], kind="stable")
    assert (np.diff(shown[beside][order]) >= 0).all()
    assert shown[other].min() > shown[values < 1.9].max()
    np.testing.assert_array_equal(shown[values <= 1.5], values[values <= 1.5])
    assert standing_out(values, np.zeros(SHAPE, bool), 2.0) is values
