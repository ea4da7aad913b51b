# SPDX-License-Identifier: Apache-2.0
"""Variational autoencoder, with what its attribute-regularised and constrained variants need."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .dense_autoencoder import DenseAutoencoder, Latents

__all__ = ["VariationalAutoencoder"]


class VariationalAutoencoder(DenseAutoencoder):
    r"""Autoencoder whose code is a distribution: :math:`q(z|x) = N(\mu(x), \operatorname{diag} \sigma^2(x))`.

    In training a code is drawn from it, :math:`z = \mu + \sigma \varepsilon` with :math:`\varepsilon \sim N(0, I)`; in
    evaluation its mean is decoded. Which variant it is depends on the terms of the loss alone
    (:class:`~scripts.losses.KLDivergence`, :class:`~scripts.losses.AttributeRegularisation`,
    :class:`~scripts.losses.LinearConstraint`).

    Args:
        num_neurons: number of linear neurons :math:`r = w^\top z + b` on the sampled code, for the constrained
            autoencoder.
        **kwargs: see :class:`~scripts.networks.latent.DenseAutoencoder`.

    Attributes:
        training_passes: number of batches seen in training. It is part of the state dictionary, so that the capacity
            schedule of a resumed run continues where it was.

    Raises:
        ValueError: ``num_neurons`` is negative; see :class:`~scripts.networks.latent.DenseAutoencoder`.

    References:
        Kingma and Welling, Auto-encoding variational Bayes, ICLR 2014 (arXiv:1312.6114). Painchaud et al.,
        Cardiac segmentation with strong anatomical guarantees, IEEE Transactions on Medical Imaging 39(11), 2020
        (doi:10.1109/TMI.2020.3003240), for the neuron.

    Example:
        >>> VariationalAutoencoder(spatial_shape=(16, 24)).encode(torch.rand(2, 1, 16, 24)).shape
        torch.Size([2, 16])
    """

    def __init__(self, num_neurons: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if num_neurons < 0:
            raise ValueError(f"num_neurons must be 0 or more, got {num_neurons}.")
        self.logvar = nn.Linear(self.mu.in_features, self.latent_size)
        self.neuron = nn.Linear(self.latent_size, num_neurons) if num_neurons else None
        self.register_buffer("training_passes", torch.zeros((), dtype=torch.long))

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the codes of images ``(B, C, *spatial)``, both ``(B, latent_size)``."""
        self._check(x)
        features = self.encoder(x)
        return self.mu(features), self.logvar(features)

    def forward(self, x: Tensor, attributes: Tensor | None = None) -> Tensor:
        """Reconstruct ``(B, C, *spatial)``; same shape. See :class:`DenseAutoencoder` for ``attributes``."""
        mu, logvar = self.posterior(x)
        z = mu
        if self.training:
            if not torch.jit.is_scripting():
                self.get_buffer("training_passes").add_(1)
            z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        if not torch.jit.is_scripting():
            neuron = None if self.neuron is None else self.neuron(z)
            self.latents = Latents(mu, z, logvar, neuron, attributes)
        return self.decode(z)
