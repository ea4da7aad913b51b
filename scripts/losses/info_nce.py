# SPDX-License-Identifier: Apache-2.0
"""Contrastive loss that matches images with their masks within a batch (CLIP, CRISP)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .regulariser import LatentTerm

__all__ = ["InfoNCE"]


class InfoNCE(LatentTerm):
    r"""Symmetric cross-entropy of finding the mask of each image, and the image of each mask, in the batch.

    .. math:: R = -\tfrac{1}{2B} \sum_i \left(
        \log \frac{e^{s \langle u_i, v_i \rangle}}{\sum_j e^{s \langle u_i, v_j \rangle}} +
        \log \frac{e^{s \langle u_i, v_i \rangle}}{\sum_j e^{s \langle u_j, v_i \rangle}} \right)

    with the directions u of the images and v of the masks and the learned scale s. In nats; log B at chance level.
    MONAI's ``ContrastiveLoss`` differs: it takes two views of the same kind, and each of its sums includes the
    negatives of both.

    Args:
        weight: factor of the term, >= 0.

    References:
        Radford et al., Learning transferable visual models from natural language supervision, ICML 2021
        (arXiv:2103.00020), figure 3. Judge et al., MICCAI 2022 (arXiv:2206.07664).
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight)

    def forward(self, prediction: Tensor, target: Tensor, network: nn.Module | None) -> Tensor:
        """Return the mean over the batch, a scalar.

        Raises:
            ValueError: the network has no joint space.
        """
        joint = self.latents(network).joint
        if joint is None:
            raise ValueError(
                f"InfoNCE needs directions of images and masks, which {type(network).__name__} does not have. Use "
                "configs/net/joint_autoencoder.yaml with configs/data/image_mask_pairs.yaml."
            )
        logits = joint.scale.float() * joint.image.float() @ joint.mask.float().T  # (B, B), rows: images
        pairs = torch.arange(len(logits), device=logits.device)
        return (F.cross_entropy(logits, pairs) + F.cross_entropy(logits.T, pairs)) / 2
