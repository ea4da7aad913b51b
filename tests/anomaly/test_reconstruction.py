# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch

from scripts.anomaly import AnomalyUndoing, ReconstructionResidual
from scripts.anomaly.detector import Head


class Same(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Sides(torch.nn.Module):
    """The head as it is, and odds that grow along the last axis."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, torch.arange(x.shape[-1]).expand_as(x).float()], dim=1)


@pytest.mark.parametrize("shape", [(16, 24, 5), (17, 21, 5), (19, 18, 4)])
@pytest.mark.parametrize("spatial_shape", [None, [32, 32], [31, 30]])
def test_a_network_that_changes_nothing_leaves_nothing_whatever_the_size(shape, spatial_shape):
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0)).bfloat16().float()
    detector = ReconstructionResidual(Same(), device="cpu", spatial_shape=spatial_shape)
    assert torch.equal(detector.reconstruct(image), image)


def test_what_does_not_fit_is_cropped_around_the_centre():
    image = torch.ones(21, 16, 3)
    rebuilt = ReconstructionResidual(Same(), device="cpu", spatial_shape=[16, 16]).reconstruct(image)
    kept = rebuilt[:, 0, 0].nonzero()[:, 0]
    assert (len(kept), int(kept[0])) in [(16, 2), (16, 3)]


def test_a_head_and_its_mirror_image_count_alike():
    image = torch.rand(17, 21, 6, generator=torch.Generator().manual_seed(0)).bfloat16().float()
    detector = AnomalyUndoing(Sides(), device="cpu")
    torch.testing.assert_close(detector.reconstruct(image), image)
    head = Head(image, torch.ones(17, 21, 6, dtype=torch.bool), np.eye(4))
    torch.testing.assert_close(detector(head), torch.full((17, 21, 6), 2.5))
