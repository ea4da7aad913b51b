# SPDX-License-Identifier: Apache-2.0
"""Reconstruction term of the ELBO for images."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["SquaredError"]


class SquaredError(nn.Module):
    r"""Squared error, summed over an image and averaged over the batch.

    .. math:: L = \alpha \, \operatorname{mean}_i \lVert x_i - \hat x_i \rVert^2

    With :math:`p(x|z) = N(f(z), c I)` this is the negative log-likelihood, up to a constant, for
    :math:`\alpha = 1 / (2c)`: it has the scale of the KL divergence, in nats.

    Args:
        alpha: factor, > 0.

    Raises:
        ValueError: ``alpha`` is not positive.

    Example:
        >>> import torch
        >>> SquaredError(alpha=2.0)(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2))
        tensor(8.)
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        if not alpha > 0:
            raise ValueError(f"alpha must be positive, got {alpha}.")
        self.alpha = alpha

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the error of ``(B, C, *spatial)`` from a target of the same shape, a scalar."""
        return self.alpha * (prediction - target).square().sum() / len(target)
