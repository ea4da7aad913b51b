# SPDX-License-Identifier: Apache-2.0
"""Which kernels are penalised, and by how much."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from scripts.losses import KernelL2
from scripts.losses.regulariser import select_kernels
from scripts.networks import NETWORKS

image = torch.zeros(1, 1, 8, 8)


def test_value_is_the_sum_of_squares_of_the_kernels_alone():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ConvTranspose2d(2, 1, 3))
    for parameter in network.parameters():
        nn.init.constant_(parameter, 2.0)
    term = KernelL2(weight=1e-5, kernels="all")
    assert term(image, image, network).item() == pytest.approx(4 * (18 + 18))
    assert term.weight == 1e-5


def test_gradient_is_twice_the_kernel():
    network = nn.Conv2d(1, 2, 3)
    KernelL2()(image, image, network).backward()
    torch.testing.assert_close(network.weight.grad, 2 * network.weight.detach())
    assert network.bias.grad is None


# number of kernels that carry kernel_regularizer in the thesis's source, and of all kernels
@pytest.mark.parametrize(
    ("name", "of_thesis", "of_all"),
    [
        ("residual_unet", 10, 13),
        ("shallow_residual_original", 10, 13),
        ("shallow_residual_preactivation", 10, 13),
        ("skip_cae", 3, 7),
        ("myronenko_cae", 18, 23),
    ],
)
def test_thesis_leaves_kernels_out(name, of_thesis, of_all):
    network = NETWORKS[name]()
    thesis = select_kernels(network, "thesis")
    assert len(thesis) == of_thesis
    assert not any(key.startswith("up") for key in thesis)
    assert ("head.weight" in thesis) == (name not in ("skip_cae", "myronenko_cae"))
    assert ("stem.weight" in thesis) == (name not in ("skip_cae", "myronenko_cae"))
    assert len(select_kernels(network, "all")) == of_all


def test_wrapped_network_is_seen_through():
    network = NETWORKS["skip_cae"]()
    wrapped = nn.DataParallel(network)
    assert select_kernels(wrapped, "thesis").keys() == select_kernels(network, "thesis").keys()


def test_missing_network_is_named():
    with pytest.raises(ValueError, match="Give AutoencoderLoss its network argument"):
        KernelL2()(image, image, None)


def test_network_that_the_thesis_never_regularised_is_named():
    with pytest.raises(ValueError, match=r'needs a network with thesis_l2_layers, got Conv2d\. Use kernels="all"'):
        KernelL2(kernels="thesis")(image, image, nn.Conv2d(1, 1, 3))


def test_unknown_choice_of_kernels_is_refused():
    with pytest.raises(ValueError, match='kernels must be "thesis" or "all", got \'some\''):
        KernelL2(kernels="some")
