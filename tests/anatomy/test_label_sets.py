# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from scripts.anatomy.brain_mask import brain_from_labels
from scripts.anatomy.label_sets import FREESURFER, LABEL_SETS, MUSE, label_values, recognised_labels

SYNTHSEG = [0, 2, 3, 4, 5, 7, 8, *range(10, 19), 24, 26, 28, 41, 42, 43, 44, 46, 47, *range(49, 55), 58, 60]
ASEG = [*SYNTHSEG, 30, 31, 62, 63, 72, 77, 85, *range(251, 256)]
APARC = [label for label in ASEG if label not in (3, 42)] + [*range(1001, 1036), *range(2001, 2036)]
FASTSURFER = [
    label for label in APARC if label not in (1001, 1004, 1032, 1033, 2001, 2004, 2032, 2033, *range(251, 256))
]
WMPARC = [label for label in APARC if label not in (2, 41)] + [*range(3001, 3036), *range(4001, 4036), 5001, 5002]


@pytest.mark.parametrize("values", [SYNTHSEG, ASEG, APARC, FASTSURFER, WMPARC])
def test_freesurfer_and_its_relatives(values: list[int]):
    assert recognised_labels(values) is FREESURFER


def test_muse_and_parts_of_it():
    assert recognised_labels(MUSE.values) is MUSE
    assert recognised_labels([0, 51, 100, 81]) is MUSE


@pytest.mark.parametrize(
    "values",
    [
        [0, 1, 2, 4],  # tumours, until 2022
        [0, 1, 2, 3],  # tumours, from 2023; tissues of FAST
        [0, 2, 3],
        [0, 1, 4],
        [0, 1],
        [0, 2, 3, 41],
        [*ASEG, 165, 258],  # nipreps/fmriprep 2733: SAMSEG labels the skull and the rest of the head as well
        [*ASEG, 2.5],
        [*ASEG, -1],
        range(117),  # AAL
    ],
    ids=str,
)
def test_others_are_not_recognised(values: list[float]):
    assert recognised_labels(values) is None


@pytest.mark.parametrize("labels", LABEL_SETS, ids=lambda labels: labels.name)
def test_every_label_is_of_one_tissue(labels):
    parts = (labels.fluid, labels.ventricle, labels.grey, labels.white)
    assert sum(map(len, parts)) == len(labels.values)
    assert 0 not in labels.values
    assert labels.outside <= labels.fluid


@pytest.mark.parametrize(
    "volume",
    [
        np.array([0, 3, 2, 3], np.float32),
        np.array([5, 2035, 70000]),
        np.array([0.5, 0, 1]),
        np.array([-1, 4], np.int16),
        np.array([0, 255], np.uint8),
        np.array([np.nan, 1.0]),
    ],
)
def test_values_are_those_of_numpy(volume: np.ndarray):
    np.testing.assert_array_equal(label_values(volume), np.unique(volume).astype(float))


def test_fluid_around_the_brain_is_outside():
    labels = np.zeros((40, 40, 40))
    labels[5:35, 5:35, 5:35] = 24
    labels[10:30, 10:20, 10:30] = 2
    labels[10:30, 20:30, 10:30] = 41
    labels[10:30, 10:20, 10:12] = 3
    labels[10:30, 20:30, 10:12] = 42
    brain = brain_from_labels(labels)
    assert np.argwhere(brain).min(0).tolist() == [10, 10, 10]
    assert np.argwhere(brain).max(0).tolist() == [29, 29, 29]
    labels[labels == 41] = 1  # now it is no numbering known, and all of it counts
    assert brain_from_labels(labels)[5, 5, 5]
