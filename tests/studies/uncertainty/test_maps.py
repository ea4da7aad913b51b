# SPDX-License-Identifier: Apache-2.0
"""Maps of uncertainty against closed forms and independent references."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import generic_filter
from scipy.stats import vonmises_fisher
from torch.distributions import Categorical

from scripts.networks import SegmentationUNet
from scripts.studies.uncertainty.maps import (
    MaskBank,
    bandwidth,
    concentration,
    dropout_probabilities,
    edge_map,
    entropy_map,
)


def test_entropy_is_that_of_torch_as_a_share_of_the_largest():
    probabilities = torch.softmax(torch.randn(2, 4, 5, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    expected = Categorical(probabilities.movedim(1, -1)).entropy() / math.log(4)
    torch.testing.assert_close(entropy_map(probabilities), expected)
    sure = F.one_hot(torch.tensor([[0, 3]]), 4).movedim(-1, 1).float()
    assert torch.equal(entropy_map(sure), torch.zeros(1, 2))


def test_an_edge_has_a_neighbour_of_another_class():
    classes = torch.randint(0, 3, (2, 7, 9), generator=torch.Generator().manual_seed(0))
    expected = [generic_filter(c.numpy(), np.ptp, 3, mode="nearest") > 0 for c in classes]
    np.testing.assert_array_equal(edge_map(classes).numpy(), np.stack(expected))
    assert edge_map(torch.full((1, 4, 4), 3)).sum() == 0


@pytest.mark.parametrize("kappa", [2.0, 20.0])
def test_concentration_is_found_again(kappa):
    mu = np.zeros(8)
    mu[2] = 1
    drawn = vonmises_fisher(mu, kappa, seed=0).rvs(20_000)
    _, likeliest = vonmises_fisher.fit(drawn)
    found = concentration(torch.from_numpy(drawn))
    assert found == pytest.approx(likeliest, rel=0.03)  # Banerjee's formula approximates the likeliest value
    assert found == pytest.approx(kappa, rel=0.06)


def test_concentration_and_bandwidth_in_closed_form():
    directions = torch.eye(3)[[0, 1]].repeat(10, 1)  # the mean's length is sqrt(1/2)
    kappa = math.sqrt(0.5) * (3 - 0.5) / (1 - 0.5)
    assert concentration(directions) == pytest.approx(kappa)
    assert bandwidth(directions) == pytest.approx(1 / math.sqrt(kappa) / (40 * math.sqrt(math.pi) * 20) ** 0.2)


def test_directions_that_are_all_the_same_are_refused():
    with pytest.raises(ValueError, match=r"all the same direction.*the training has collapsed"):
        MaskBank(torch.eye(4)[:1].repeat(5, 1), torch.zeros(5, 2, 2))


def bank(count: int) -> tuple[MaskBank, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    directions = F.normalize(torch.randn(9, 3, generator=generator), dim=1)
    masks = torch.randint(0, 4, (9, 4, 5), generator=generator)
    return MaskBank(directions, masks, count), directions, masks


@pytest.mark.parametrize("count", [1, 4, 100])
def test_uncertainty_is_the_weighted_share_of_masks_that_differ(count):
    found, directions, masks = bank(count)
    image = F.normalize(torch.randn(2, 3, generator=torch.Generator().manual_seed(1)), dim=1)
    predicted = torch.randint(0, 4, (2, 4, 5), generator=torch.Generator().manual_seed(2))
    maps = found.uncertainty(image, predicted)
    for number in range(2):
        cosines = [float(image[number] @ direction) for direction in directions]
        best = sorted(range(9), key=lambda i: -cosines[i])[:count]
        weights = {i: math.exp((cosines[i] - 1) / found.bandwidth) for i in best}
        for y, x in np.ndindex(4, 5):
            differs = sum(weight for i, weight in weights.items() if masks[i, y, x] != predicted[number, y, x])
            assert float(maps[number, y, x]) == pytest.approx(differs / sum(weights.values()), abs=1e-5)


def test_a_prediction_that_all_masks_share_is_certain():
    found, directions, masks = bank(3)
    found.classes = masks[:1].expand(9, -1, -1)
    assert found.uncertainty(directions[:1], masks[:1]).abs().max() == 0
    assert torch.allclose(found.uncertainty(directions[:1], masks[:1] + 1), torch.ones(1, 4, 5))


def test_the_nearest_mask_of_a_direction_is_its_own():
    found, directions, masks = bank(3)
    assert torch.equal(found.nearest(directions[[5, 2]]), masks[[5, 2]])


def test_dropout_draws_and_leaves_everything_as_it_was():
    torch.manual_seed(0)
    network = SegmentationUNet(4, spatial_dims=2, features=(4,) * 6, dropout=0.5, norm="batch").eval()
    images = torch.rand(2, 1, 16, 16)
    before, state = network(images), torch.random.get_rng_state()
    first, again, other = (dropout_probabilities(network, images, 3, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first, before)
    torch.testing.assert_close(first.sum(1), torch.ones(2, 16, 16))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(module.training for module in network.modules())
    assert torch.equal(network(images), before)


def test_a_network_without_dropout_is_refused():
    network = SegmentationUNet(4, spatial_dims=2, features=(4,) * 6).eval()
    with pytest.raises(ValueError, match="needs a network with dropout, SegmentationUNet has none"):
        dropout_probabilities(network, torch.rand(1, 1, 16, 16), 2, 0)
