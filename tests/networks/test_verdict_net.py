# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import torch

from scripts.networks import SlabUNet, VerdictNet
from scripts.networks.volume_statistics import volume_statistics

VOLUMES = torch.rand(4, 1, 24, 24, 20, generator=torch.Generator().manual_seed(0))


def test_statistics_are_followed_in_training_alone():
    network = VerdictNet(kinds=3).train()
    for _ in range(50):
        network(VOLUMES)
    torch.testing.assert_close(network.mean, volume_statistics(VOLUMES).mean(dim=0), rtol=1e-3, atol=1e-3)
    network.eval()
    before = network.mean.clone()
    network(VOLUMES * 0.5)
    assert torch.equal(network.mean, before)


def test_half_precision_around_it_changes_nothing():
    network = VerdictNet(kinds=3).eval()
    plain = network(VOLUMES)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network(VOLUMES), plain)


def told(levels: list[float]) -> SlabUNet:
    """A restorer whose verdict is always the same, and whose convolutions of the kinds add 1 and 10."""
    torch.manual_seed(0)
    verdict = VerdictNet(kinds=2)
    torch.nn.init.zeros_(verdict.layers[-1].weight)
    verdict.layers[-1].bias.data = torch.logit(torch.tensor([*levels, 0.9]))
    network = SlabUNet(1, channels=(8, 8, 8), verdict=verdict).eval()
    network.stem.bias.data.fill_(1.0)
    network.stem.weight.data.zero_()
    with torch.no_grad():
        first, second = network.heads.chunk(2)
        first[:, :, 1, 1] = 1 / 8
        second[:, :, 1, 1] = 10 / 8
    return network


def test_each_kind_has_its_own_convolution_weighted_by_its_level():
    some, more = (told(levels)(VOLUMES)[:, 0] - VOLUMES[:, 0] for levels in ([0.5, 0.25], [0.25, 0.5]))
    ratio = more[:, 8:16, 8:16].mean() / some[:, 8:16, 8:16].mean()
    torch.testing.assert_close(float(ratio), (0.25 + 5) / (0.5 + 2.5), rtol=1e-4, atol=0)


def test_levels_may_be_told():
    network = told([0.5, 0.25])
    levels = torch.tensor([[0.25, 0.5]]).expand(4, 2)
    torch.testing.assert_close(network(VOLUMES, levels), told([0.25, 0.5])(VOLUMES), rtol=1e-4, atol=1e-4)


def test_statistics_may_be_given():
    network = VerdictNet(kinds=3).eval()
    assert torch.equal(network(volume_statistics(VOLUMES)), network(VOLUMES))


def test_the_verdict_is_not_trained_along():
    network = told([0.5, 0.5]).train()
    assert not network.verdict.training
    assert not any(parameter.requires_grad for parameter in network.verdict.parameters())
    before = network.verdict.mean.clone()
    network(VOLUMES).square().mean().backward()
    assert torch.equal(network.verdict.mean, before)
    assert network.heads.grad.abs().sum() > 0
