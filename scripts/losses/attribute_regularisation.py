# SPDX-License-Identifier: Apache-2.0
"""Regularisation that assigns a latent dimension to each attribute (AR-VAE)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .regulariser import LatentTerm

__all__ = ["AttributeRegularisation", "attribute_loss"]


def attribute_loss(z: Tensor, attribute: Tensor, delta: float) -> Tensor:
    r"""Disagreement of a latent dimension with an attribute about the order of the images of a batch.

    .. math:: L = \operatorname{mean}_{i,j} \left| \tanh(\delta (z_i - z_j)) - \operatorname{sign}(a_i - a_j) \right|

    The mean is over the pairs of images that both have the attribute.

    Args:
        z: values of the latent dimension, ``(B,)``.
        attribute: values of the attribute in any unit (only their order counts), ``(B,)``, NaN where undefined.
        delta: steepness of the hyperbolic tangent, > 0.

    Returns:
        Scalar in [0, 2]; 0 where no image has the attribute.
    """
    known = attribute.isfinite()
    z, attribute = z[known], attribute[known]
    if len(z) == 0:
        return z.sum()
    ordered = torch.tanh(delta * (z[:, None] - z[None, :]))
    return (ordered - torch.sign(attribute[:, None] - attribute[None, :])).abs().mean()


class AttributeRegularisation(LatentTerm):
    r"""Make latent dimension l increase with attribute l, for each attribute of the batch.

    .. math:: R = \sum_l \operatorname{mean}_{i,j}
        \left| \tanh(\delta (z_{il} - z_{jl})) - \operatorname{sign}(a_{il} - a_{jl}) \right|

    z is the sampled code. ``weight`` is gamma. Ties (two images without ventricles) pull their codes together.

    Args:
        weight: gamma, >= 0.
        delta: steepness, > 0. The second reference uses gamma 0.1 and delta 16 for cardiac masks.

    Raises:
        ValueError: a parameter is out of range.

    References:
        Pati and Lerch, Attribute-based regularization of latent spaces for variational auto-encoders, Neural Computing
        and Applications 33, 2021 (doi:10.1007/s00521-020-05270-2). Painchaud et al., Echocardiography segmentation
        with enforced temporal consistency, IEEE Transactions on Medical Imaging 41(10), 2022
        (doi:10.1109/TMI.2022.3173669).
    """

    def __init__(self, weight: float = 0.1, delta: float = 16.0) -> None:
        super().__init__(weight)
        if not delta > 0:
            raise ValueError(f"delta must be positive, got {delta}.")
        self.delta = delta

    def forward(self, prediction: Tensor, target: Tensor, network: nn.Module | None) -> Tensor:
        """Return the sum over the attributes, a scalar.

        Raises:
            ValueError: the batch has no attributes, or the network too few dimensions.
        """
        z = self.latents(network).z.float()
        attributes = self.attributes(network)
        if z.shape[1] < attributes.shape[1]:
            raise ValueError(
                f"{attributes.shape[1]} attributes need as many latent dimensions, the network has {z.shape[1]}. "
                "Raise its latent_size."
            )
        pairs = zip(z.T, attributes.T, strict=False)  # the dimensions beyond the attributes are free
        return torch.stack([attribute_loss(values, attribute, self.delta) for values, attribute in pairs]).sum()
