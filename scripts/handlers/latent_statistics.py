# SPDX-License-Identifier: Apache-2.0
"""Use of the latent, recorded after each validation: divergence of each dimension, and active units."""

from __future__ import annotations

import sys
from typing import cast

import ignite.distributed as idist
import torch
from ignite.engine import Events
from monai.engines import Workflow
from torch import Tensor, nn
from tqdm import tqdm

from ..losses import kl_per_dimension
from ..networks.latent import Latents

__all__ = ["ACTIVE_VARIANCE", "LatentStatistics"]

ACTIVE_VARIANCE = 0.01
"""Variance of its mean over the images above which a unit is active (Burda et al.)."""


class LatentStatistics:
    """Add statistics of the posteriors to the metrics of the validation, which ``History`` and ``ImagePanel`` record.

    ``kl`` is the divergence from the prior in nats, ``kl_00``, ``kl_01``, ... that of each dimension, both means over
    the images; ``active_units`` counts the dimensions whose mean varies with the image. If there is none (posterior
    collapse), a warning is shown. A deterministic autoencoder has only ``active_units``.

    Args:
        network: network of :mod:`scripts.networks.latent`.

    References:
        Burda, Grosse and Salakhutdinov, Importance weighted autoencoders, ICLR 2016 (arXiv:1509.00519), for the units.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._sums: Tensor | float = 0.0  # a tensor from the first batch on

    def attach(self, engine: Workflow) -> None:
        """Attach to the evaluator."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._record)

    def _start(self, engine: Workflow) -> None:
        self._sums = 0.0

    def _latents(self) -> Latents:
        return cast(Latents, getattr(self.network, "module", self.network).latents)

    def _add(self, engine: Workflow) -> None:
        latents = self._latents()
        mu = latents.mu.detach().double()
        kl = torch.zeros_like(mu) if latents.logvar is None else kl_per_dimension(mu, latents.logvar.detach().double())
        sums = [torch.ones_like(mu), mu, mu.square(), kl]
        self._sums = self._sums + torch.stack([values.sum(0) for values in sums])  # (4, K)

    def _record(self, engine: Workflow) -> None:
        count, mean, square, kl = torch.as_tensor(idist.all_reduce(self._sums))
        variance = square / count - (mean / count).square()
        active = int((variance > ACTIVE_VARIANCE).sum())
        metrics = engine.state.metrics
        if self._latents().logvar is not None:
            divergences = (kl / count).tolist()
            metrics["kl"] = sum(divergences)
            metrics |= {f"kl_{dimension:02d}": value for dimension, value in enumerate(divergences)}
        metrics["active_units"] = float(active)
        if active == 0 and engine.state.rank == 0:
            tqdm.write(
                f"the latent is not used: none of its {len(mean)} dimensions varies with the image (posterior "
                "collapse). Lower the weight of the KL divergence, or let its capacity rise.",
                file=sys.stderr,
            )
