# SPDX-License-Identifier: Apache-2.0
"""What a forward pass leaves for the loss, beside the image."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

__all__ = ["Latents"]


class Latents(NamedTuple):
    """The latent side of one batch.

    Attributes:
        mu: mean of the posterior, ``(B, K)``; of a deterministic autoencoder, its code.
        z: what was decoded, ``(B, K)``: sampled in training, ``mu`` in evaluation.
        logvar: logarithm of the posterior's variance, ``(B, K)``; None where there is none.
        neuron: answers of the linear neurons, ``(B, number)``; None where there are none.
        attributes: of the batch's images, ``(B, L)``, NaN where undefined; None where the batch has none.
    """

    mu: Tensor
    z: Tensor
    logvar: Tensor | None = None
    neuron: Tensor | None = None
    attributes: Tensor | None = None
