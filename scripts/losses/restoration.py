# SPDX-License-Identifier: Apache-2.0
"""Losses of whole volumes: restored ones with their standard deviation, and anomalies."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["AnomalyLoss", "RestorationLoss"]

FREEDOM = 4.0
"""Degrees of freedom of the distribution of errors."""


class RestorationLoss(nn.Module):
    r"""Root mean square error of each volume, and a likelihood for the scale of its errors.

    .. math:: L = \frac{1}{B} \sum_b 10 \sqrt{m_b + \epsilon}
        + \lambda \overline{\frac{\nu + 1}{2} \log\Bigl(1 + \frac{(y - \hat y)^2}{\nu \hat\sigma^2}\Bigr)
        + \log\frac{\hat\sigma}{\sigma_0}}

    m is the weighted mean square error of a volume. With its root, each volume pulls with the same force, however
    damaged it is: with the mean square error itself ruined volumes would rule, and with its logarithm clean ones, from
    which a network learns to leave everything as it is. The second term changes the scale alone, as its residuals
    :math:`y - \hat y` are held fixed. Errors are taken for Student's t with :math:`\nu = 4`: a Gaussian's gradient has
    no bound, and one surprising voxel undid a hundred steps.

    Args:
        floor: :math:`\epsilon`, mean square error below which an improvement counts for little.
        sd_weight: :math:`\lambda`.
        lowest_log_sd: :math:`\log \sigma_0`, below which the predicted logarithm is cut off.

    Raises:
        ValueError: ``floor`` is not positive.

    References:
        Nix and Weigend, Estimating the mean and variance of the target probability distribution, ICNN 1994. Lange et
        al., Robust statistical modeling using the t distribution, JASA 1989.

    Example:
        >>> prediction = torch.full((1, 2, 1, 1, 1), 0.1)
        >>> target = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1, 1)
        >>> RestorationLoss(floor=1e-12, sd_weight=0.0)(prediction, target)
        tensor(1.)
    """

    def __init__(self, floor: float = 1e-5, sd_weight: float = 0.02, lowest_log_sd: float = -7.0) -> None:
        super().__init__()
        if not floor > 0:
            raise ValueError(f"floor must be positive, got {floor}.")
        self.floor, self.sd_weight, self.lowest_log_sd = floor, sd_weight, lowest_log_sd

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Args:
            prediction: restored volume and logarithm of its standard deviation, ``(B, 2, *spatial)``.
            target: clean volume and weight of each voxel, same shape.
        """
        restored, log_sd = prediction.unbind(dim=1)
        clean, weight = (part.flatten(1) for part in target.unbind(dim=1))
        square = (restored.flatten(1) - clean).square()
        total = weight.sum(dim=1).clamp(min=1e-6)
        mean_square = (weight * square).sum(dim=1) / total
        error = 10 * (mean_square + self.floor).sqrt().mean()
        log_sd = log_sd.flatten(1).clamp(min=self.lowest_log_sd)
        heavy = torch.log1p(square.detach() * torch.exp(-2 * log_sd) / FREEDOM)
        deviance = 0.5 * (FREEDOM + 1) * heavy + log_sd - self.lowest_log_sd
        likelihood = ((weight * deviance).sum(dim=1) / total).mean()
        return error + self.sd_weight * likelihood


class AnomalyLoss(nn.Module):
    r"""Loss of a detector that shows the healthy head and the odds of an anomaly.

    .. math:: L = \log_{10}\Bigl(1 + \frac{m}{\epsilon}\Bigr) + \text{BCE} + (1 - \text{Dice})

    The mean square error m is that within anomalies and, with equal weight, elsewhere in the brain; cross-entropy and
    the overlap of the batch are counted in the brain.

    Args:
        floor: :math:`\epsilon`.
        restoration_weight: weight of the first term.

    Example:
        >>> prediction = torch.tensor([0.0, 8.0]).view(1, 2, 1, 1, 1)
        >>> target = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1, 1)
        >>> AnomalyLoss()(prediction, target) < 0.01
        tensor(True)
    """

    def __init__(self, floor: float = 1e-3, restoration_weight: float = 0.3) -> None:
        super().__init__()
        self.floor, self.restoration_weight = floor, restoration_weight

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Args:
            prediction: healthy image and log odds of an anomaly, ``(B, 2, *spatial)``.
            target: healthy image and weight of the anomaly, -1 where nothing counts, same shape.
        """
        healthy, odds = prediction.unbind(dim=1)
        clean, anomaly = target.unbind(dim=1)
        inside, there = (anomaly >= 0).to(odds.dtype), anomaly.clamp(min=0)
        square = (healthy - clean).square()
        within, elsewhere = (
            (weight * square).sum() / weight.sum().clamp(min=1) for weight in (there, inside * (1 - there))
        )
        decibels = torch.log10(1 + 0.5 * (within + elsewhere) / self.floor)
        entropy = F.binary_cross_entropy_with_logits(odds, there, weight=inside, reduction="sum")
        share = torch.sigmoid(odds) * inside
        overlap = (2 * (share * there).sum() + 1) / (share.square().sum() + there.square().sum() + 1)
        return self.restoration_weight * decibels + entropy / inside.sum().clamp(min=1) + 1 - overlap
