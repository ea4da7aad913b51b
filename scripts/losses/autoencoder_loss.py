# SPDX-License-Identifier: Apache-2.0
"""Training loss: reconstruction plus weighted regularisers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .regulariser import Regulariser

__all__ = ["AutoencoderLoss"]


class AutoencoderLoss(nn.Module):
    r"""Sum of one reconstruction loss and any number of weighted regularisers.

    .. math:: L = L_\text{reconstruction}(\hat y, y) + \sum_i w_i R_i(\hat y, y, \text{network})

    Computed in float32 (or wider, where the input is) even under autocast: the squares of small residuals and the
    differences of local moments would be lost in half precision.

    Args:
        reconstruction: reconstruction loss, called as ``reconstruction(prediction, target)``; returns a scalar.
        regularisers: terms that are added, each multiplied by its own weight.
        network: network in training, passed to the regularisers. It does not become a submodule, so neither
            ``parameters()`` nor ``state_dict()`` of the loss contain it.

    Example:
        >>> loss = AutoencoderLoss(nn.MSELoss())
        >>> loss(torch.zeros(1, 1, 8, 8), torch.full((1, 1, 8, 8), 0.5))
        tensor(0.2500)
    """

    network: nn.Module | None

    def __init__(
        self,
        reconstruction: Callable[[Tensor, Tensor], Tensor],
        regularisers: Sequence[Regulariser] = (),
        network: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.reconstruction = reconstruction
        self.regularisers = nn.ModuleList(regularisers)
        object.__setattr__(self, "network", network)  # bypasses nn.Module, which would register it as a submodule

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Args:
            prediction: output of the network, ``(B, C, *spatial)``.
            target: clean image, same shape.

        Raises:
            ValueError: the two shapes differ.
        """
        if prediction.shape != target.shape:
            raise ValueError(
                f"prediction and target must have the same shape, got {tuple(prediction.shape)} and "
                f"{tuple(target.shape)}. Give the network as many out_channels as the target has channels."
            )
        dtype = torch.promote_types(prediction.dtype, torch.float32)
        prediction = prediction.as_subclass(Tensor).to(dtype)  # a MetaTensor would carry its metadata through each step
        target = target.as_subclass(Tensor).to(dtype)
        with torch.autocast(prediction.device.type, enabled=False):
            loss = self.reconstruction(prediction, target)
            for regulariser in self.regularisers:
                loss = loss + regulariser.weight * regulariser(prediction, target, self.network)
        return loss
