# SPDX-License-Identifier: Apache-2.0
"""L2 penalty on convolution kernels."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from .regulariser import Regulariser

__all__ = ["KernelL2", "select_kernels"]


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
