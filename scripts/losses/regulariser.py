# SPDX-License-Identifier: Apache-2.0
"""Base classes of the terms that ``AutoencoderLoss`` adds to the reconstruction loss, and the L2 penalty on kernels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ..networks.latent import Latents

__all__ = ["KernelL2", "LatentTerm", "Regulariser", "select_kernels"]


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


class KernelL2(Regulariser):
    r"""Sum of the squares of the network's kernels; biases and batch normalisation are left out.

    .. math:: R = \sum_{k} \lVert W_k \rVert_2^2

    It is summed, not averaged, like ``l2(1e-5)`` of Keras, so it grows with the size of the network.

    Args:
        weight: factor of the term.
        kernels: ``"thesis"``: only the layers that the thesis regularised, listed in each network's
            ``thesis_l2_layers`` (never a transposed convolution, and in two networks not the output convolution);
            ``"all"``: every kernel.

    Raises:
        ValueError: ``kernels`` is neither of the two.
    """

    def __init__(self, weight: float = 1e-5, kernels: Literal["thesis", "all"] = "all") -> None:
        super().__init__(weight)
        if kernels not in ("thesis", "all"):
            raise ValueError(f'kernels must be "thesis" or "all", got {kernels!r}.')
        self.kernels = kernels

    def forward(self, prediction: Tensor, target: Tensor, network: nn.Module | None) -> Tensor:
        """Return the sum of squares; ``prediction`` and ``target`` are not used.

        Raises:
            ValueError: there is no network, or it has no ``thesis_l2_layers``.
        """
        if network is None:
            raise ValueError("KernelL2 penalises the network, got None. Give AutoencoderLoss its network argument.")
        kernels = select_kernels(network, self.kernels)
        return torch.stack([kernel.float().square().sum() for kernel in kernels.values()]).sum()


def select_kernels(network: nn.Module, kernels: Literal["thesis", "all"]) -> dict[str, nn.Parameter]:
    """Names and values of the kernels to penalise, in the order of the network.

    Args:
        network: any network, possibly inside ``DistributedDataParallel``.
        kernels: see :class:`KernelL2`.

    Raises:
        ValueError: ``"thesis"`` for a network without ``thesis_l2_layers``.
    """
    network = getattr(network, "module", network)  # DistributedDataParallel keeps the network there
    found = {name: weight for name, weight in network.named_parameters() if weight.ndim > 1}
    if kernels == "all":
        return found
    layers = getattr(network, "thesis_l2_layers", None)
    if layers is None:
        raise ValueError(
            f'kernels="thesis" needs a network with thesis_l2_layers, got {type(network).__name__}. Use kernels="all".'
        )
    return {name: weight for name, weight in found.items() if name.partition(".")[0] in layers}
