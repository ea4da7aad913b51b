# SPDX-License-Identifier: Apache-2.0
"""Reconstruction terms: squared error of images as in the ELBO, Dice and cross-entropy of class probabilities."""

from __future__ import annotations

from monai.losses import DiceCELoss
from torch import Tensor, nn

__all__ = ["ClassOverlap", "SquaredError"]

SMALLEST_PROBABILITY = 1e-6


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


class ClassOverlap(nn.Module):
    r"""One minus Dice, plus a share of the cross-entropy, of probabilities of classes.

    MONAI's ``DiceCELoss`` expects logits. It is given the logarithms of the probabilities, whose softmax is the
    probabilities again.

    Args:
        lambda_ce: weight of the cross-entropy; 0.1 as in the reference.
        include_background: whether class 0 counts in the Dice coefficient.

    References:
        Painchaud et al., Echocardiography segmentation with enforced temporal consistency, IEEE Transactions on
        Medical Imaging 41(10), 2022 (doi:10.1109/TMI.2022.3173669).
    """

    def __init__(self, lambda_ce: float = 0.1, include_background: bool = False) -> None:
        super().__init__()
        self.loss = DiceCELoss(softmax=True, lambda_ce=lambda_ce, include_background=include_background, batch=True)

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss of probabilities ``(B, classes, *spatial)`` from a one-hot target, a scalar."""
        return self.loss(prediction.clamp(min=SMALLEST_PROBABILITY).log(), target)
