# SPDX-License-Identifier: Apache-2.0
"""What is particular to the five networks of the thesis: published sizes, variants."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from scripts.networks import NETWORKS, THESIS_NETWORKS, MyronenkoCAE, ResidualUNet

THESIS = sorted(THESIS_NETWORKS)


@pytest.mark.parametrize(
    ("name", "arguments", "total", "trainable"),
    [
        ("residual_unet", {}, 483_649, 482_593),
        ("shallow_residual_original", {}, 460_993, 459_745),
        ("shallow_residual_original", {"double_norm": True}, 462_017, 460_257),
        ("shallow_residual_preactivation", {}, 460_609, 459_553),
        ("shallow_residual_preactivation", {"double_norm": True}, 462_273, 460_385),
        ("skip_cae", {}, 191_041, 190_369),
        ("myronenko_cae", {}, 991_041, 989_345),
    ],
)
def test_parameters_are_as_many_as_published(name, arguments, total, trainable):
    network = NETWORKS[name](**arguments)
    assert sum(parameter.numel() for parameter in network.parameters()) == trainable
    statistics = sum(value.numel() for key, value in network.named_buffers() if "running" in key)
    assert trainable + statistics == total


@pytest.mark.parametrize("name", THESIS)
def test_what_is_known_of_a_network_names_its_layers(name):
    kind = THESIS_NETWORKS[name]
    assert len({network.label for network in THESIS_NETWORKS.values()}) == len(THESIS)
    for arguments in kind.published_arguments:
        layers = dict(kind(**arguments).named_modules())
        assert {*kind.thesis_l2_layers, *kind.transferred_layers, *kind.keras_layers} <= set(layers)
        convolutions = {layer for layer, module in layers.items() if getattr(module, "weight", torch.ones(1)).ndim == 4}
        assert set(kind.keras_layers) == convolutions


@pytest.mark.parametrize("name", ["shallow_residual_original", "shallow_residual_preactivation"])
def test_two_normalisations_in_a_row_still_restore_and_script(name):
    network = NETWORKS[name](double_norm=True).eval()
    x = torch.rand(1, 1, 8, 16)
    torch.testing.assert_close(torch.jit.script(network)(x), network(x))


@pytest.mark.parametrize("name", THESIS)
def test_output_of_an_exact_network_lies_between_0_and_1(name):
    output = NETWORKS[name]()(10 * torch.randn(2, 1, 16, 16))
    assert 0 <= output.min() < output.max() <= 1


@pytest.mark.parametrize("name", THESIS)
def test_parameters_start_as_in_keras(name):
    torch.manual_seed(0)
    for module in NETWORKS[name]().modules():
        if isinstance(module, _BatchNorm):
            assert module.eps == 1e-3
            assert module.momentum == pytest.approx(0.01)
        elif isinstance(getattr(module, "weight", None), nn.Parameter):
            out_channels, in_channels, *kernel = module.weight.shape
            limit = (6 / ((out_channels + in_channels) * torch.Size(kernel).numel())) ** 0.5
            assert 0.9 * limit < module.weight.abs().max() <= limit
            assert not module.bias.any()


def test_untrained_residual_output_returns_the_input_unclipped():
    x = 3 * torch.randn(2, 1, 16, 24)
    assert torch.equal(ResidualUNet(residual_output=True)(x), x)


def test_residual_output_trains_the_whole_network_once_its_last_kernel_is_not_zero():
    torch.manual_seed(0)
    network = ResidualUNet(residual_output=True).eval()
    nn.init.normal_(network.head.weight)
    network(torch.rand(1, 1, 16, 24)).square().sum().backward()
    assert all(parameter.grad.any() for parameter in network.parameters())


def test_residual_output_needs_equal_channels():
    with pytest.raises(ValueError, match=r"must be equal, got 3 and 1\. Set out_channels=3"):
        ResidualUNet(in_channels=3, residual_output=True)


def test_myronenko_drops_whole_feature_maps_while_training():
    torch.manual_seed(0)
    dropout = MyronenkoCAE().dropout
    kept = dropout(torch.ones(50, 32, 4, 4))
    per_map = kept.flatten(2)
    assert torch.equal(per_map.amin(2), per_map.amax(2))
    assert 0.05 < (per_map[..., 0] == 0).float().mean() < 0.15
