# SPDX-License-Identifier: Apache-2.0
"""What ``AutoencoderLoss`` expects of a term beside the reconstruction."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["Regulariser"]


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
