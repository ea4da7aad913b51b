# SPDX-License-Identifier: Apache-2.0
"""The peer's layers and scores against independent references; a whole run where pythae is (BRAIN_MRI_PYTHAE)."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import wilcoxon
from torch.distributions import Independent, Normal, kl_divergence

from scripts.networks.latent import VariationalAutoencoder
from scripts.studies.vae_peers.__main__ import vae_peer
from scripts.studies.vae_peers.pythae_program import PARTS, Layers
from scripts.studies.vae_peers.scores import MEASURES, compare_scores, score

SIZES = {"latent_size": 3, "channels": [2, 4, 4], "strides": [2, 2, 1]}


@pytest.fixture
def network() -> VariationalAutoencoder:
    torch.manual_seed(0)
    made = VariationalAutoencoder(spatial_shape=(16, 24), output="sigmoid", **SIZES)
    made(torch.rand(8, 1, 16, 24))  # batch statistics that are not the initial ones
    return made


def test_the_peers_layers_are_those_of_the_network(network):
    layers = Layers((1, 16, 24), **SIZES)
    layers.load({name: list(getattr(network, name).state_dict().values()) for name in PARTS})
    x = torch.rand(5, 1, 16, 24)
    for training in (True, False):
        network.train(training)
        layers.train(training)
        features = layers.encoder(x)
        torch.testing.assert_close((layers.mu(features), layers.logvar(features)), network.posterior(x))
        z = torch.randn(5, 3)
        torch.testing.assert_close(torch.sigmoid(layers.decoder(layers.expand(z))), network.decode(z))
    for name, values in layers.save().items():
        for mine, there in zip(getattr(network, name).state_dict().values(), values, strict=True):
            torch.testing.assert_close(mine, there)


def test_scores_are_those_of_torch_distributions(network):
    x, subjects = torch.rand(6, 1, 16, 24), ["b", "b", "b", "a", "a", "a"]
    table = score(network, x, subjects, alpha=50, beta=4)
    assert table["subject"].tolist() == ["a", "b"]
    with torch.inference_mode():
        mu, logvar = network.eval().posterior(x)
        posterior = Independent(Normal(mu, (0.5 * logvar).exp()), 1)
        kl = kl_divergence(posterior, Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1))
        likelihood = Independent(Normal(network.decode(mu), 0.1), 3)  # variance 0.01: alpha = 50
        constant = 16 * 24 * np.log(0.1 * np.sqrt(2 * np.pi))
        error = -(likelihood.log_prob(x).double() + constant) / 50
    assert table["kl"].tolist() == pytest.approx([kl[3:].mean().item(), kl[:3].mean().item()], rel=1e-5)
    assert table["squared_error"].tolist() == pytest.approx(
        [error[3:].mean().item(), error[:3].mean().item()], rel=1e-3
    )
    np.testing.assert_allclose(table["elbo"], -50 * table["squared_error_sampled"] - table["kl"], rtol=1e-5)
    np.testing.assert_allclose(table["loss"], -table["elbo"] + 3 * table["kl"], rtol=1e-5)


def test_a_certain_posterior_samples_its_mean(network):
    torch.nn.init.zeros_(network.logvar.weight)
    torch.nn.init.constant_(network.logvar.bias, -60.0)
    table = score(network, torch.rand(4, 1, 16, 24), ["a"] * 4, alpha=1, beta=1)
    assert table["squared_error_sampled"].tolist() == pytest.approx(table["squared_error"].tolist(), rel=1e-5)


def test_the_comparison_is_paired_over_subjects():
    rng = np.random.default_rng(0)
    rows = []
    for seed in (0, 1):
        for subject in "abcdefgh":
            base = rng.normal(10, 3, len(MEASURES))
            rows.append(
                {"subject": subject, "contender": "pythae", "seed": seed} | dict(zip(MEASURES, base, strict=True))
            )
            ours = base - 1 - 0.1 * rng.random(len(MEASURES))
            rows.append(
                {"subject": subject, "contender": "ours", "seed": seed} | dict(zip(MEASURES, ours, strict=True))
            )
    table = pd.DataFrame(rows).assign(beta=1.0).sample(frac=1, random_state=0)
    result = compare_scores(table).set_index("measure")
    assert (result["n"] == 8).all()
    assert (result["seeds"] == 2).all()
    mean = table.groupby("contender")[list(MEASURES)].mean()
    for measure in MEASURES:
        row = result.loc[measure]
        assert row["ours"] == pytest.approx(mean.loc["ours", measure])
        assert row["difference"] == pytest.approx(mean.loc["ours", measure] - mean.loc["pythae", measure])
        assert -1.1 < row["low"] <= row["difference"] <= row["high"] < -1
        assert row["p"] == pytest.approx(wilcoxon(-np.arange(1.0, 9)).pvalue)  # all eight of one sign


def test_wrong_arguments_end_with_one_line(tiny_cohort, tmp_path):
    with pytest.raises(SystemExit, match=r"pythae_python 'nowhere' is no Python with pythae: make one with"):
        vae_peer("nowhere", str(tiny_cohort), str(tmp_path))


@pytest.mark.slow
def test_a_small_run(tiny_cohort, tmp_path):
    python = os.environ.get("BRAIN_MRI_PYTHAE")
    if not python:
        pytest.skip("no pythae: set BRAIN_MRI_PYTHAE to a Python that has it")
    arguments = {"pythae_python": python, "dataset_dir": str(tiny_cohort), "output_dir": str(tmp_path)}
    settings = {"betas": (1, 4), "seeds": 0, "max_epochs": 1, "batch_size": 4}
    vae_peer(**arguments, **settings)
    comparison = pd.read_csv(tmp_path / "comparison.csv")
    assert comparison["beta"].tolist() == [1] * 5 + [4] * 5
    assert np.isfinite(comparison[["ours", "pythae"]]).all(axis=None)
    made = (tmp_path / "beta_4/seed_0/pythae/trained.pt").stat().st_mtime_ns
    vae_peer(**arguments, **settings)  # kept
    assert (tmp_path / "beta_4/seed_0/pythae/trained.pt").stat().st_mtime_ns == made
