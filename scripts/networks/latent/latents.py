# SPDX-License-Identifier: Apache-2.0
"""What a forward pass leaves for the loss, beside the image."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["JointLatents", "Latents"]


class JointLatents(NamedTuple):
    """Where the images and the masks of one batch lie in the space that they have in common.

    Attributes:
        image: directions of the images, ``(B, D)`` of length one.
        mask: those of the masks, ``(B, D)``.
        scale: learned factor of their cosines, a scalar.
    """

    image: Tensor
    mask: Tensor
    scale: Tensor


class Latents(NamedTuple):
    """The latent side of one batch.

    Attributes:
        mu: mean of the posterior, ``(B, K)``; of a deterministic autoencoder, its code.
        z: what was decoded, ``(B, K)``: sampled in training, ``mu`` in evaluation.
        logvar: logarithm of the posterior's variance, ``(B, K)``; None where there is none.
        neuron: answers of the linear neurons, ``(B, number)``; None where there are none.
        attributes: of the batch's images, ``(B, L)``, NaN where undefined; None where the batch has none.
        joint: of a network that sees image and mask; None for the others.
    """

    mu: Tensor
    z: Tensor
    logvar: Tensor | None = None
    neuron: Tensor | None = None
    attributes: Tensor | None = None
    joint: JointLatents | None = None
