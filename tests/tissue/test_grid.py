# SPDX-License-Identifier: Apache-2.0
"""Tissue classes on a common grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scripts.tissue import tissue_transforms
from scripts.tissue.grid import BrainWindowd
from tests.helpers.toy_brain import write_labels


@pytest.mark.parametrize("origin", [0.0, -37.0])
def test_a_coarser_grid_takes_the_largest_share(tmp_path: Path, origin: float):
    rng = np.random.default_rng(0)
    fine = rng.integers(0, 4, (4, 20, 12)).astype(np.uint8)
    fine[:, :2, :2] = 3
    file = write_labels(tmp_path / "a.nii.gz", fine, 2.0, origin)
    coarse = tissue_transforms(size=(10, 6))({"label": str(file)})["label"].numpy()[0].transpose(2, 0, 1)
    blocks = fine.reshape(2, 2, 10, 2, 6, 2).transpose(0, 2, 4, 1, 3, 5).reshape(2, 10, 6, 8)
    counts = np.stack([(blocks == tissue).sum(-1) for tissue in range(4)], axis=-1)
    np.testing.assert_array_equal(coarse, counts.argmax(-1))


def test_the_window_lies_around_the_frame_or_the_brain():
    volume = torch.zeros(1, 9, 7, 5)
    volume[0, 1:4, 0:3, 1:3] = 2
    frame = BrainWindowd("label", (10, 8))({"label": volume})["label"]
    assert frame.shape == (1, 10, 8, 2)
    assert frame[0].nonzero().amin(0).tolist() == [1, 0, 0]
    brain = BrainWindowd("label", (5, 5), "brain")({"label": volume})["label"]
    assert brain.shape == (1, 5, 5, 2)
    assert brain[0].nonzero().amin(0).tolist() == [1, 1, 0]


def test_a_brain_that_does_not_fit_is_refused():
    volume = torch.zeros(1, 9, 7, 5)
    volume[0, :4] = 1
    with pytest.raises(ValueError, match=r'70 voxels of the brain.*5 x 7 pixels around the frame.*centre="brain"'):
        BrainWindowd("label", (5, 7))({"label": volume})
    with pytest.raises(ValueError, match="no brain in this label volume"):
        BrainWindowd("label", (5, 7))({"label": volume * 0})
    with pytest.raises(ValueError, match=r"centre must be one of frame, brain, got 'head'"):
        BrainWindowd("label", (5, 7), "head")
