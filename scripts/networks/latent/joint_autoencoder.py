# SPDX-License-Identifier: Apache-2.0
"""Autoencoder of masks with a joint space of images and masks (CRISP)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from monai.networks.nets import Regressor
from torch import Tensor, nn

from .dense_autoencoder import DenseAutoencoder, JointLatents, Latents

__all__ = ["JointAutoencoder"]

MAX_LOG_SCALE = math.log(100.0)


class JointAutoencoder(DenseAutoencoder):
    r"""Autoencoder of masks that also maps a mask and its image to directions, which should agree.

    Both codes are projected linearly to ``joint_size`` numbers and scaled to length one. Trained with
    :class:`~scripts.losses.InfoNCE`, the direction of an image lies near those of the masks that fit it.

    The image encoder is MONAI's ``Regressor``: strided convolutions and one linear layer.

    Differs from the paper: the logit scale starts at 1 / 0.07 and stays below 100, as in CLIP; in the published code it
    starts at the exponential of a random number and has no bound.

    Args:
        image_channels: channels of the image.
        image_latent_size: length of the code of the image.
        image_features: number of channels at each level of the image encoder, which halves the size at each.
        joint_size: D, dimension of the joint space.
        **kwargs: arguments of the autoencoder of masks, see :class:`~scripts.networks.latent.DenseAutoencoder`.

    Raises:
        ValueError: see :class:`~scripts.networks.latent.DenseAutoencoder`.

    References:
        Judge et al., CRISP: reliable uncertainty estimation for medical image segmentation, MICCAI 2022
        (arXiv:2206.07664). Radford et al., Learning transferable visual models from natural language supervision, ICML
        2021 (arXiv:2103.00020), for the scale.
    """

    def __init__(
        self,
        image_channels: int = 1,
        image_latent_size: int = 64,
        image_features: Sequence[int] = (16, 32, 64, 128),
        joint_size: int = 8,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.image_encoder = Regressor(
            in_shape=(image_channels, *self.image_shape[1:]),
            out_shape=(image_latent_size,),
            channels=image_features,
            strides=[2] * len(image_features),
            num_res_units=0,
            norm="batch",
        )
        self.project_image = nn.Linear(image_latent_size, joint_size)
        self.project_mask = nn.Linear(self.latent_size, joint_size)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def image_direction(self, image: Tensor) -> Tensor:
        """Directions ``(B, D)`` of length one of images ``(B, image_channels, *spatial)``."""
        return F.normalize(self.project_image(self.image_encoder(image)), dim=1)

    def mask_direction(self, mask: Tensor) -> Tensor:
        """Directions ``(B, D)`` of length one of one-hot masks ``(B, C, *spatial)``."""
        return F.normalize(self.project_mask(self.encode(mask)), dim=1)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        """Reconstruct the mask, and keep both directions in ``latents.joint``.

        Args:
            image: images ``(B, image_channels, *spatial)``.
            mask: one-hot masks ``(B, C, *spatial)``.

        Returns:
            Probabilities of classes, shape of ``mask``.
        """
        z = self.encode(mask)
        joint = JointLatents(
            image=self.image_direction(image),
            mask=F.normalize(self.project_mask(z), dim=1),
            scale=self.log_scale.clamp(max=MAX_LOG_SCALE).exp(),
        )
        self.latents = Latents(mu=z, z=z, joint=joint)
        return self.decode(z)
