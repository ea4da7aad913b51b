# SPDX-License-Identifier: Apache-2.0
"""A trained autoencoder of masks as two functions: mask to code, code to mask."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.tissue_slices import one_hot
from ..networks.latent import DenseAutoencoder

__all__ = ["LatentModel"]


class LatentModel:
    """Encode and decode masks in batches, NumPy in and out.

    Args:
        network: with its weights; put in evaluation mode.
        device: where it runs.
        batch_size: masks at a time.
    """

    def __init__(self, network: DenseAutoencoder, device: torch.device | str = "cpu", batch_size: int = 256) -> None:
        self.network = network.eval().to(device)
        self.device = torch.device(device)
        self.batch_size = batch_size

    @torch.inference_mode()
    def encode(self, masks: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Codes (posterior means) ``(N, K)`` of masks ``(N, H, W)``."""
        batches = torch.from_numpy(np.ascontiguousarray(masks)).split(self.batch_size)
        codes = [self.network.encode(one_hot(batch).to(self.device)).cpu() for batch in batches]
        return torch.cat(codes).numpy() if codes else np.zeros((0, self.network.latent_size), np.float32)

    @torch.inference_mode()
    def probabilities(self, codes: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probabilities of the classes ``(N, C, H, W)`` of codes ``(N, K)``."""
        batches = torch.from_numpy(np.asarray(codes, np.float32)).split(self.batch_size)
        shares = [self.network.decode(batch.to(self.device)).cpu() for batch in batches]
        return torch.cat(shares).numpy() if shares else np.zeros((0, *self.network.image_shape), np.float32)

    @torch.inference_mode()
    def decode(self, codes: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Masks ``(N, H, W)`` of codes ``(N, K)``: the most probable class of each pixel."""
        batches = torch.from_numpy(np.asarray(codes, np.float32)).split(self.batch_size)
        masks = [self.network.decode(batch.to(self.device)).argmax(1).to(torch.uint8).cpu() for batch in batches]
        return torch.cat(masks).numpy() if masks else np.zeros((0, *self.network.image_shape[1:]), np.uint8)
