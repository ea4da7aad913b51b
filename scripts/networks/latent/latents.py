# SPDX-License-Identifier: Apache-2.0
"""Latents of a forward pass, which the loss needs besides the output."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["JointLatents", "Latents"]


class JointLatents(NamedTuple):
    """Positions of the images and masks of a batch in their joint space.

    Attributes:
        image: directions of the images, ``(B, D)`` of length one.
        mask: directions of the masks, ``(B, D)`` of length one.
        scale: learned factor of their cosines, a scalar.
    """

    image: Tensor
    mask: Tensor
    scale: Tensor


class Latents(NamedTuple):
    """Latents of a batch.

    Attributes:
        mu: mean of the posterior, ``(B, K)``; the code of a deterministic autoencoder.
        z: decoded code, ``(B, K)``: sampled in training, ``mu`` in evaluation.
        logvar: logarithm of the posterior's variance, ``(B, K)``; None if there is no posterior.
        neuron: outputs of the linear neurons, ``(B, num_neurons)``; None if there are none.
        attributes: attributes of the images, ``(B, L)``, NaN where undefined; None if the batch has none.
        joint: positions in the joint space of images and masks; None for networks that see only one of them.
    """

    mu: Tensor
    z: Tensor
    logvar: Tensor | None = None
    neuron: Tensor | None = None
    attributes: Tensor | None = None
    joint: JointLatents | None = None
