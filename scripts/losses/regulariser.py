# SPDX-License-Identifier: Apache-2.0
"""Base classes of the terms that ``AutoencoderLoss`` adds to the reconstruction loss."""

from __future__ import annotations

from torch import Tensor, nn

from ..networks.latent import Latents

__all__ = ["LatentTerm", "Regulariser"]


class Regulariser(nn.Module):
    """Base of the terms that are added to a reconstruction loss, each multiplied by its weight.

    A new term overrides ``forward``; it may use any of the three arguments.

    Args:
        weight: factor of the term in the sum, >= 0.

    Raises:
        ValueError: ``weight`` is negative.
    """

    def __init__(self, weight: float) -> None:
        super().__init__()
        if not weight >= 0:
            raise ValueError(
                f"weight must be 0 or more, got {weight}. A negative one would reward what it should punish."
            )
        self.weight = weight

    def forward(self, prediction: Tensor, target: Tensor, network: nn.Module | None) -> Tensor:
        """Return the term, a scalar that is not yet multiplied by ``weight``.

        Args:
            prediction: output of the network, ``(B, C, *spatial)``.
            target: clean image, same shape.
            network: network in training, or None where ``AutoencoderLoss`` was not given one.
        """
        raise NotImplementedError


class LatentTerm(Regulariser):
    """Base of the regularisers that read ``network.latents``, which the network's last forward pass has set."""

    def latents(self, network: nn.Module | None) -> Latents:
        """Latents of the batch whose loss is computed.

        Args:
            network: network in training, possibly inside ``DistributedDataParallel``.

        Raises:
            ValueError: there is no network, it leaves no latents, or no batch has passed through it.
        """
        latents = getattr(getattr(network, "module", network), "latents", None)
        if latents is None:
            raise ValueError(
                f"{type(self).__name__} reads the latents of the last batch, but {type(network).__name__} left none. "
                "Give AutoencoderLoss a network of scripts.networks.latent, and call that network first."
            )
        return latents

    def attributes(self, network: nn.Module | None) -> Tensor:
        """Attributes of the batch, ``(B, L)`` float32, NaN where undefined.

        Raises:
            ValueError: the batch has none.
        """
        attributes = self.latents(network).attributes
        if attributes is None:
            raise ValueError(
                f"{type(self).__name__} needs the attributes of each image, the batch has none. Use a dataset with "
                "attributes (configs/data/tissue_slices.yaml)."
            )
        return attributes.float()
