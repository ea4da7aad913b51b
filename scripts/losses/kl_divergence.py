# SPDX-License-Identifier: Apache-2.0
"""Divergence of the posterior from the prior, the second term of the ELBO."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn

from .regulariser import LatentTerm

__all__ = ["KLDivergence", "kl_per_dimension"]


def kl_per_dimension(mu: Tensor, logvar: Tensor) -> Tensor:
    r"""Divergence of each latent dimension's posterior from the standard normal distribution.

    .. math:: \mathrm{KL}(N(\mu, \sigma^2) \| N(0, 1)) = -\tfrac12 (1 + \log \sigma^2 - \mu^2 - \sigma^2)

    Args:
        mu: means, ``(B, K)``.
        logvar: logarithms of the variances, ``(B, K)``.

    Returns:
        ``(B, K)``, in nats, >= 0.
    """
    return -0.5 * (1 + logvar - mu.square() - logvar.exp())


class KLDivergence(LatentTerm):
    r"""Kullback-Leibler divergence of the posterior from N(0, I): summed over dimensions, averaged over the batch.

    .. math:: R = \mathrm{KL}(q(z|x) \| N(0, I)) \qquad\text{or, with a capacity,}\qquad R = |\mathrm{KL} - C(t)|

    ``weight`` is beta. The ELBO, :math:`\alpha \lVert x - \hat x \rVert^2 + \beta\, \mathrm{KL}`, is this term with
    :class:`~scripts.losses.SquaredError`; with a mean over n pixels instead of a sum, the same optimum is at
    ``weight`` = :math:`\beta / (\alpha n)`.

    The capacity rises linearly from 0 to ``capacity`` nats over the first ``capacity_steps`` batches of the training,
    which the network counts, and stays there, so that the dimensions come into use one after another.

    Args:
        weight: beta, >= 0.
        capacity: final capacity C in nats; 0 for the plain divergence.
        capacity_steps: number of batches until C is reached.

    Raises:
        ValueError: a parameter is out of range.

    References:
        Higgins et al., beta-VAE, ICLR 2017. Burgess et al., Understanding disentangling in beta-VAE, 2018
        (arXiv:1804.03599), for the capacity.
    """

    def __init__(self, weight: float = 1.0, capacity: float = 0.0, capacity_steps: int = 1) -> None:
        super().__init__(weight)
        if not capacity >= 0:
            raise ValueError(f"capacity must be 0 nats or more, got {capacity}.")
        if not capacity_steps >= 1:
            raise ValueError(f"capacity_steps must be at least 1, got {capacity_steps}.")
        self.capacity = capacity
        self.capacity_steps = capacity_steps

    def capacity_at(self, step: int) -> float:
        """C after ``step`` batches, in nats."""
        return self.capacity * min(1.0, step / self.capacity_steps)

    def forward(self, prediction: Tensor, target: Tensor, network: nn.Module | None) -> Tensor:
        """Return the divergence of the network's last batch, a scalar in nats.

        Raises:
            ValueError: there is no network, or it has no posterior.
        """
        latents = self.latents(network)
        if latents.logvar is None:
            raise ValueError(
                f"KLDivergence needs a posterior, which {type(network).__name__} does not have. "
                "Use scripts.networks.latent.VariationalAutoencoder, or leave the term out."
            )
        kl = kl_per_dimension(latents.mu.float(), latents.logvar.float()).sum(1).mean()
        if self.capacity == 0:
            return kl
        steps = int(cast(Any, getattr(network, "module", network)).training_passes)
        return (kl - self.capacity_at(steps)).abs()
