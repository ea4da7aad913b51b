# SPDX-License-Identifier: Apache-2.0
"""Autoencoder with a dense latent, and the latents that a forward pass keeps for the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from monai.networks.nets import VarAutoEncoder
from torch import Tensor, nn

from ..blocks import check_spatial_dims

__all__ = ["DenseAutoencoder", "JointLatents", "Latents"]

OUTPUTS = ("identity", "sigmoid", "softmax")


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


class DenseAutoencoder(nn.Module):
    r"""Autoencoder with a vector of ``latent_size`` numbers between encoder and decoder: :math:`\hat x = f(e(x))`.

    Encoder and decoder are those of MONAI's ``VarAutoEncoder``: strided convolutions, one linear layer in, one out,
    transposed convolutions. They use batch normalisation: instance normalisation, MONAI's default, would remove the
    brightness.

    Each forward pass leaves its code in ``latents``, from which the latent terms of the loss are computed
    (:mod:`scripts.losses`); the output stays one tensor.

    Args:
        spatial_dims: number of spatial axes, 2 or 3.
        spatial_shape: size of the images, each a multiple of the product of ``strides``.
        in_channels: channels of the image; for masks, the number of classes.
        latent_size: length of the code.
        channels: number of channels at each level.
        strides: stride at each level.
        num_res_units: residual units per level, 0 for plain convolutions.
        output: last activation: "identity", "sigmoid" (values in [0, 1]) or "softmax" (probabilities of classes).

    Attributes:
        latents: latents of the last forward pass, None before the first; not part of the state dictionary or of copies.

    Raises:
        ValueError: the spatial shape does not fit the strides, or ``output`` is unknown.

    References:
        Kingma and Welling, Auto-encoding variational Bayes, ICLR 2014 (arXiv:1312.6114), for the variational form.

    Example:
        >>> DenseAutoencoder(spatial_shape=(16, 24))(torch.rand(2, 1, 16, 24)).shape
        torch.Size([2, 1, 16, 24])
    """

    def __init__(
        self,
        spatial_dims: int = 2,
        spatial_shape: Sequence[int] = (120, 120),
        in_channels: int = 1,
        latent_size: int = 16,
        channels: Sequence[int] = (24, 48, 96),
        strides: Sequence[int] = (2, 2, 2),
        num_res_units: int = 0,
        output: Literal["identity", "sigmoid", "softmax"] = "identity",
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        _check_shape(spatial_dims, spatial_shape, strides)
        if output not in OUTPUTS:
            raise ValueError(f"output must be one of {', '.join(OUTPUTS)}, got {output!r}.")
        layers = VarAutoEncoder(
            spatial_dims=spatial_dims,
            in_shape=(in_channels, *spatial_shape),
            out_channels=in_channels,
            latent_size=latent_size,
            channels=channels,
            strides=strides,
            num_res_units=num_res_units,
            norm="batch",
        )
        self.image_shape = (in_channels, *spatial_shape)
        self.latent_size = latent_size
        self.output = output
        self.encoder = nn.Sequential(layers.encode, layers.intermediate, nn.Flatten())
        self.mu = layers.mu
        self.expand = nn.Sequential(
            layers.decodeL, nn.ReLU(), nn.Unflatten(1, (channels[-1], *(int(size) for size in layers.final_size)))
        )
        self.decoder = layers.decode
        self.latents: Latents | None = None

    def encode(self, x: Tensor) -> Tensor:
        """Codes ``(B, latent_size)`` of images ``(B, C, *spatial)``."""
        self._check(x)
        return self.mu(self.encoder(x))

    def decode(self, z: Tensor) -> Tensor:
        """Images ``(B, C, *spatial)`` of codes ``(B, latent_size)``, in the range of ``output``."""
        x = self.decoder(self.expand(z))
        if self.output == "sigmoid":
            return torch.sigmoid(x)
        if self.output == "softmax":
            return torch.softmax(x, dim=1)
        return x

    def forward(self, x: Tensor, attributes: Tensor | None = None) -> Tensor:
        """Reconstruct ``(B, C, *spatial)``; same shape.

        Args:
            x: images.
            attributes: attributes of the images, ``(B, L)``, kept in ``latents`` for the loss.
        """
        z = self.encode(x)
        if not torch.jit.is_scripting():
            self.latents = Latents(mu=z, z=z, attributes=attributes)
        return self.decode(z)

    def _check(self, x: Tensor) -> None:
        """Refuse images of another size, except while the network is being exported."""
        if torch.jit.is_scripting() or torch.jit.is_tracing() or torch.compiler.is_compiling():
            return
        if x.shape[1:] != self.image_shape:
            raise ValueError(
                f"images must have the shape (B, {', '.join(map(str, self.image_shape))}), got {tuple(x.shape)}. "
                "Pad or crop them with ResizeWithPadOrCropd, or make the network with their spatial_shape."
            )

    def __getstate__(self) -> dict[str, Any]:
        """State for copies, without ``latents``: tensors of an autograd graph cannot be copied."""
        return {**self.__dict__, "latents": None}


def _check_shape(spatial_dims: int, spatial_shape: Sequence[int], strides: Sequence[int]) -> None:
    if len(spatial_shape) != spatial_dims:
        raise ValueError(f"spatial_shape must have spatial_dims = {spatial_dims} sizes, got {tuple(spatial_shape)}.")
    multiple = 1
    for stride in strides:
        multiple *= stride
    if any(size % multiple or size <= 0 for size in spatial_shape):
        padded = tuple(max(multiple, -(-size // multiple) * multiple) for size in spatial_shape)
        raise ValueError(
            f"spatial_shape {tuple(spatial_shape)} must be divisible by {multiple}, the product of the strides "
            f"{tuple(strides)}. Use {padded}."
        )
