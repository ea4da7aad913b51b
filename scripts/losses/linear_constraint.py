# SPDX-License-Identifier: Apache-2.0
"""Constraint that an attribute is a linear function of the code (constrained VAE)."""

from __future__ import annotations

from torch import Tensor, nn

from .regulariser import LatentTerm

__all__ = ["LinearConstraint"]


class LinearConstraint(LatentTerm):
    r"""Squared error of an attribute as the network's first linear neuron predicts it from the code.

    .. math:: R = \operatorname{mean}_i \left( w^\top z_i + b - \frac{a_i - m}{s} \right)^2

    Images without the attribute are left out.

    Args:
        attribute: index of the attribute among those of the batch.
        weight: lambda, >= 0.
        shift: offset m, in the unit of the attribute.
        scale: scale s, in the unit of the attribute, > 0; 1 for the slice level, which is in [0, 1].

    Raises:
        ValueError: a parameter is out of range.

    References:
        Painchaud et al., Cardiac segmentation with strong anatomical guarantees, IEEE Transactions on Medical Imaging
        39(11), 2020 (doi:10.1109/TMI.2020.3003240).
    """

    def __init__(self, attribute: int, weight: float = 1.0, shift: float = 0.0, scale: float = 1.0) -> None:
        super().__init__(weight)
        if not attribute >= 0:
            raise ValueError(f"attribute must be an index, 0 or more, got {attribute}.")
        if not scale > 0:
            raise ValueError(f"scale must be positive, got {scale}.")
        self.attribute = attribute
        self.shift = shift
        self.scale = scale

    def forward(self, prediction: Tensor, target: Tensor, network: nn.Module | None) -> Tensor:
        """Return the mean squared error, a scalar; 0 where no image has the attribute.

        Raises:
            ValueError: the network has no neuron, or the batch too few attributes.
        """
        neuron = self.latents(network).neuron
        if neuron is None:
            raise ValueError(
                f"LinearConstraint needs a neuron, which {type(network).__name__} does not have. Set num_neurons: 1 in "
                "network_def."
            )
        attributes = self.attributes(network)
        if self.attribute >= attributes.shape[1]:
            raise ValueError(f"attribute {self.attribute} does not exist: the batch has {attributes.shape[1]}.")
        attribute = (attributes[:, self.attribute] - self.shift) / self.scale
        error = (neuron[:, 0].float() - attribute)[attribute.isfinite()]
        return error.square().sum() / max(len(error), 1)
