# SPDX-License-Identifier: Apache-2.0
"""Reconstruction term for masks: Dice and cross-entropy of probabilities."""

from __future__ import annotations

from monai.losses import DiceCELoss
from torch import Tensor, nn

__all__ = ["ClassOverlap"]

SMALLEST_PROBABILITY = 1e-6


class ClassOverlap(nn.Module):
    r"""One minus Dice, plus a share of the cross-entropy, of probabilities of classes.

    MONAI's ``DiceCELoss``, which takes scores: it is given the logarithms of the probabilities, whose softmax are the
    probabilities again.

    Args:
        lambda_ce: factor of the cross-entropy; 0.1 as in the masks of the reference.
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
