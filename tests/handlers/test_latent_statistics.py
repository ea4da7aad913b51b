# SPDX-License-Identifier: Apache-2.0
"""Use of the latent, after each validation."""

from __future__ import annotations

import pytest
import torch
from monai.engines import Workflow

from scripts.handlers import LatentStatistics
from scripts.networks.latent import DenseAutoencoder, Latents, VariationalAutoencoder

BATCHES = [torch.tensor([[0.0, 1.0], [2.0, 1.0]]), torch.tensor([[4.0, 1.0]])]


def run(network: torch.nn.Module, logvar: torch.Tensor | None) -> dict[str, float]:
    def step(engine: Workflow, mu: torch.Tensor) -> dict[str, torch.Tensor]:
        network.latents = Latents(mu, mu, None if logvar is None else logvar.expand_as(mu))
        return {}

    engine = Workflow(torch.device("cpu"), 1, BATCHES, iteration_update=step, decollate=False)
    LatentStatistics(network).attach(engine)
    engine.run()
    return engine.state.metrics


def network(network_class):
    return network_class(spatial_shape=(8, 8), channels=(2, 2, 2), latent_size=2)


def test_divergence_of_each_dimension_and_active_units():
    metrics = run(network(VariationalAutoencoder), torch.zeros(1, 2))
    assert metrics["kl_00"] == pytest.approx((0 + 4 + 16) / 6)  # mu^2 / 2, mean over the images, not the batches
    assert metrics["kl_01"] == pytest.approx(0.5)
    assert metrics["kl"] == pytest.approx(20 / 6 + 0.5)
    assert metrics["active_units"] == 1


def test_an_autoencoder_without_posterior_has_active_units_only():
    assert run(network(DenseAutoencoder), None) == {"active_units": 1}


def test_collapse_is_said_aloud(capsys):
    net = network(VariationalAutoencoder)
    zeros = [torch.zeros(3, 2)]

    def step(engine, mu):
        net.latents = Latents(mu, mu, mu)
        return {}

    engine = Workflow(torch.device("cpu"), 1, zeros, iteration_update=step, decollate=False)
    LatentStatistics(net).attach(engine)
    engine.run()
    assert "none of its 2 dimensions varies with the image (posterior collapse)" in capsys.readouterr().err
