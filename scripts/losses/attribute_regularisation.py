# SPDX-License-Identifier: Apache-2.0
"""One latent dimension for each attribute (AR-VAE)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .regulariser import LatentTerm

__all__ = ["AttributeRegularisation", "attribute_loss"]


def attribute_loss(z: Tensor, attribute: Tensor, delta: float) -> Tensor:
    r"""How far a latent dimension is from ordering a batch as an attribute orders it.

    .. math:: L = \operatorname{mean}_{i,j} \left| \tanh(\delta (z_i - z_j)) - \operatorname{sign}(a_i - a_j) \right|

    The mean is over the pairs of images of which both have the attribute.

    Args:
        z: the dimension's value for each image, ``(B,)``.
        attribute: the attribute of each image, ``(B,)``, any unit (only its order counts), NaN where undefined.
        delta: steepness, > 0.

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
    r"""Makes latent dimension l grow with attribute l, for every attribute that the batch has.

    .. math:: R = \sum_l \operatorname{mean}_{i,j}
        \left| \tanh(\delta (z_{il} - z_{jl})) - \operatorname{sign}(a_{il} - a_{jl}) \right|

    z is the sampled code. ``weight`` is gamma. Images that tie (no ventricle on either) draw their codes together.

    Args:
        weight: gamma, >= 0.
        delta: steepness, > 0. gamma 0.1 and delta 16 are those of the cardiac masks of the second reference.

    Raises:
        ValueError: a number outside its range.

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
