# SPDX-License-Identifier: Apache-2.0
"""What a trained variational autoencoder is worth on unseen subjects, and the difference between two of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...evaluation.statistics import signed_rank_test, spread
from ...losses import kl_per_dimension
from ...networks.latent import VariationalAutoencoder

__all__ = ["MEASURES", "compare_scores", "score"]

MEASURES = ("squared_error", "squared_error_sampled", "kl", "elbo", "loss")
DRAWS = 5
BATCH = 128


@torch.inference_mode()
def score(
    network: VariationalAutoencoder,
    images: Tensor,
    subjects: Sequence[str],
    alpha: float,
    beta: float,
    seed: int = 0,
) -> pd.DataFrame:
    """Measure a network on slices; mean over the slices of each subject.

    Args:
        network: with its weights.
        images: ``(N, 1, H, W)``.
        subjects: of each slice.
        alpha: factor of the squared error, 1 / (2c) for a likelihood of variance c.
        beta: weight of the divergence in the training.
        seed: of the codes that are drawn; the same draws for every network of the same size.

    Returns:
        For each subject: ``squared_error``, summed over a slice, of the decoded mean of the posterior, and
        ``squared_error_sampled``, mean over 5 codes drawn from it; ``kl`` in nats; ``elbo``, alpha times the latter
        error plus the divergence, negative, in nats (without the constant of the likelihood); ``loss``, the same with
        beta, positive: what the training makes small.
    """
    network.eval()
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for x in images.split(BATCH):
        mu, logvar = network.posterior(x)
        kl = kl_per_dimension(mu, logvar).sum(1)
        draws = [mu + torch.exp(0.5 * logvar) * torch.randn(mu.shape, generator=generator) for _ in range(DRAWS)]
        sampled = torch.stack([_squared_error(network, z, x) for z in draws]).mean(0)
        error = _squared_error(network, mu, x)
        rows.append(torch.stack([error, sampled, kl, -(alpha * sampled + kl), alpha * sampled + beta * kl], 1))
    table = pd.DataFrame(torch.cat(rows).double().numpy(), columns=list(MEASURES))
    return table.groupby(np.asarray(subjects)).mean().rename_axis("subject").reset_index()


def compare_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Means, spreads, and the paired difference ours minus pythae.

    Args:
        table: rows of :func:`score` with ``beta``, ``seed`` and ``contender``, "ours" or "pythae".

    Returns:
        For each beta and measure: ``n`` subjects, ``seeds``; of each contender the mean, the standard deviation between
        subjects and that between seeds; ``difference`` with its 95 % bootstrap interval over subjects, and the p-value
        of the signed-rank test over subjects (of means over seeds).
    """
    rows = []
    for beta, of_beta in table.groupby("beta"):
        values = {name: _values(of_beta[of_beta["contender"] == name]) for name in ("ours", "pythae")}
        spreads = {name: spread(value) for name, value in values.items()}
        difference = values["ours"] - values["pythae"]
        between = spread(difference)
        p = signed_rank_test(difference.mean(0))
        for i, measure in enumerate(MEASURES):
            row = {"beta": beta, "measure": measure, "n": int(between.n[i]), "seeds": len(difference)}
            for name, of in spreads.items():
                row |= {name: of.mean[i], f"{name}_subject_sd": of.subject_sd[i], f"{name}_seed_sd": of.seed_sd[i]}
            row |= {"difference": between.mean[i], "low": between.low[i], "high": between.high[i], "p": p[i]}
            rows.append(row)
    return pd.DataFrame(rows)


def _values(table: pd.DataFrame) -> np.ndarray:
    """``(seeds, measures, subjects)``."""
    ordered = table.sort_values(["seed", "subject"])
    return np.stack([of_seed[list(MEASURES)].to_numpy().T for _, of_seed in ordered.groupby("seed")])


def _squared_error(network: VariationalAutoencoder, z: Tensor, x: Tensor) -> Tensor:
    return (network.decode(z) - x).square().flatten(1).sum(1)
