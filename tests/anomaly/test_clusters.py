# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from scripts.anomaly.clusters import cluster_strengths, label_clusters, named_clusters
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
