# SPDX-License-Identifier: Apache-2.0
"""The contrastive term against torch's cross-entropy, a hand calculation and its limits."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from scripts.losses import InfoNCE
from scripts.networks.latent import JointAutoencoder, JointLatents, Latents

IMAGE = torch.zeros(2, 1, 4, 4)


class Leaves(torch.nn.Module):
    """A network that has left these directions."""

    def __init__(self, image: torch.Tensor, mask: torch.Tensor, scale: float) -> None:
        super().__init__()
        self.latents = Latents(image, image, joint=JointLatents(image, mask, torch.tensor(scale)))


def directions(seed: int, count: int = 5) -> torch.Tensor:
    return F.normalize(torch.randn(count, 3, generator=torch.Generator().manual_seed(seed)), dim=1)


def value(image: torch.Tensor, mask: torch.Tensor, scale: float) -> float:
    return float(InfoNCE()(IMAGE, IMAGE, Leaves(image, mask, scale)))


def test_it_is_the_mean_of_the_cross_entropies_both_ways():
    image, mask = directions(0), directions(1)
    rows = [F.cross_entropy(3.0 * mask @ image[i], torch.tensor(i)) for i in range(5)]
    columns = [F.cross_entropy(3.0 * image @ mask[i], torch.tensor(i)) for i in range(5)]
    assert value(image, mask, 3.0) == pytest.approx(float(sum(rows + columns)) / 10, rel=1e-5)


def test_two_pairs_by_hand():
    image = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    mask = torch.tensor([[0.6, 0.8], [0.0, 1.0]])
    s, log_sum = 2.0, lambda *x: math.log(sum(math.exp(v) for v in x))
    images = (log_sum(0.6 * s, 0.0) - 0.6 * s) + (log_sum(0.8 * s, s) - s)
    masks = (log_sum(0.6 * s, 0.8 * s) - 0.6 * s) + (log_sum(0.0, s) - s)
    assert value(image, mask, s) == pytest.approx((images + masks) / 4, rel=1e-5)


def test_equal_directions_are_chance_and_right_ones_nothing():
    assert value(directions(0)[:1].repeat(7, 1), directions(1)[:1].repeat(7, 1), 9.0) == pytest.approx(math.log(7))
    assert value(torch.eye(4), torch.eye(4), 100.0) < 1e-6


def test_the_gradient_turns_pairs_towards_each_other():
    image, mask = directions(0), directions(1).requires_grad_()
    before = value(image, mask.detach(), 3.0)
    InfoNCE()(IMAGE, IMAGE, Leaves(image, mask, 3.0)).backward()
    after = value(image, F.normalize(mask.detach() - 0.1 * mask.grad, dim=1), 3.0)
    assert after < before


def test_a_network_without_directions_is_refused():
    network = torch.nn.Linear(1, 1)
    network.latents = Latents(IMAGE, IMAGE)
    with pytest.raises(ValueError, match="needs directions of images and masks, which Linear does not have"):
        InfoNCE()(IMAGE, IMAGE, network)
    with pytest.raises(ValueError, match="reads the latents of the last batch, but JointAutoencoder left none"):
        InfoNCE()(IMAGE, IMAGE, JointAutoencoder(spatial_shape=(16, 16), image_features=(2,)))
