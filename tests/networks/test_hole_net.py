# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import torch

from scripts.networks.hole_net import BEYOND, CONTRAST, FARTHEST, RAYS, HoleNet, hole_features

SHAPE = (30, 28, 26)


def across(places: torch.Tensor) -> torch.Tensor:
    """The other side of the plane at 14.5."""
    return places * torch.tensor([-1.0, 1.0, 1.0]) + torch.tensor([29.0, 0.0, 0.0])


def test_rays_end_at_the_rim_and_see_what_is_beyond() -> None:
    volume = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(SHAPE, dtype=torch.bool)
    mask[8:13, 10:13, 10:13] = True
    voxel = torch.tensor([[9, 11, 11]])
    features = hole_features(volume, mask, voxel, across)[0]
    ray = int((torch.tensor([1, 0, 0]) == RAYS).all(dim=1).nonzero())
    rim = 13  # four steps
    for number, step in enumerate(BEYOND):
        expected = CONTRAST * (volume[rim + step, 11, 11] - volume[9, 11, 11])
        torch.testing.assert_close(features[26 * number + ray], expected)
    opposite = CONTRAST * (volume[29 - rim, 11, 11] - volume[9, 11, 11])
    torch.testing.assert_close(features[26 * len(BEYOND) + ray], opposite, atol=1e-4, rtol=0)
    lengths = features[-(26 + 1 + 1 + 21) :][:26].reciprocal()
    assert lengths[ray] == 4
    assert lengths.min() == 2  # the nearest rim


def test_rays_that_do_not_leave_a_hole_end() -> None:
    mask = torch.ones(60, 5, 5, dtype=torch.bool)
    features = hole_features(torch.rand(60, 5, 5), mask, torch.tensor([[30, 2, 2]]), across)
    assert torch.isfinite(features).all()
    assert features[0, -(26 + 23) :][:26].reciprocal().min() == FARTHEST


def test_voxels_are_independent_and_an_untrained_network_corrects_nothing() -> None:
    volume, mask = torch.rand(SHAPE), torch.zeros(SHAPE, dtype=torch.bool)
    mask[8:12, 8:12, 8:12] = True
    features = hole_features(volume, mask, mask.nonzero(), across)
    network = HoleNet(width=16).eval()
    assert not network(features).any()
    torch.nn.init.normal_(network.members[0].last.weight)
    first, second = network.each(features)
    assert not second.any()
    torch.testing.assert_close(network(features[5:9]), first[5:9] / 2)
