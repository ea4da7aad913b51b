# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from torch import nn

from scripts.engines import fold_batch_norm
from scripts.networks import NETWORKS


def with_statistics(network: nn.Module) -> nn.Module:
    """Give every normalisation statistics and weights that matter."""
    generator = torch.Generator().manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d):
            for values in (layer.running_mean, layer.running_var, layer.weight.data, layer.bias.data):
                values.copy_(torch.rand(values.shape, generator=generator) + 0.5)
    return network.eval()


def norms(network: nn.Module) -> int:
    """Count the normalisations that are called."""
    calls = []
    hooks = [
        layer.register_forward_hook(lambda *_: calls.append(1))
        for layer in network.modules()
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d)
    ]
    with torch.no_grad():
        network(torch.rand(1, 1, 16, 24))
    for hook in hooks:
        hook.remove()
    return len(calls)


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_function_stays_and_the_network_is_left_alone(name, spatial_dims):
    torch.manual_seed(0)
    network = with_statistics(NETWORKS[name](spatial_dims=spatial_dims))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    images = torch.rand(2, 1, *(16, 24, 8)[:spatial_dims])
    with torch.no_grad():
        expected, result = network(images), fold_batch_norm(network)(images)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)  # float32, up to 14 layers
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_only_normalisations_after_a_convolution_are_merged():
    network = NETWORKS["residual_unet"]()
    assert norms(network.eval()) == 9
    assert norms(fold_batch_norm(network)) == 3  # the first of each pre-activation block


def test_sizes_are_still_checked():
    with pytest.raises(ValueError, match=r"spatial shape \(12, 16\) is not divisible by 8"):
        fold_batch_norm(NETWORKS["skip_cae"]().eval())(torch.zeros(1, 1, 12, 16))


def test_a_network_that_cannot_be_traced_is_given_back():
    class Branching(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    network = Branching()
    assert fold_batch_norm(network) is network
