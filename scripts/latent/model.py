# SPDX-License-Identifier: Apache-2.0
"""A trained autoencoder as two functions of NumPy arrays: image to code, and code to image."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..losses import kl_per_dimension
from ..networks.latent import DenseAutoencoder, VariationalAutoencoder
from ..tissue.classes import one_hot

__all__ = ["LatentModel", "MaskModel"]


class LatentModel:
    """Encode and decode images of one channel in batches, NumPy in and out.

    Args:
        network: trained network; it is set to evaluation mode.
        device: device on which it runs.
        batch_size: number of images at a time.
    """

    def __init__(self, network: DenseAutoencoder, device: torch.device | str = "cpu", batch_size: int = 256) -> None:
        self.network = network.eval().to(device)
        self.device = torch.device(device)
        self.batch_size = batch_size

    def _input(self, images: Tensor) -> Tensor:
        """Input of the network, ``(n, C, H, W)`` float32, for images ``(n, H, W)``."""
        return images.float()[:, None]

    def _batches(self, images: NDArray) -> list[Tensor]:
        return [batch for batch in torch.from_numpy(np.ascontiguousarray(images)).split(self.batch_size) if len(batch)]

    @torch.inference_mode()
    def encode(self, images: NDArray) -> NDArray[np.float32]:
        """Codes (posterior means) ``(N, K)`` of images ``(N, H, W)``."""
        codes = [self.network.encode(self._input(batch).to(self.device)).cpu() for batch in self._batches(images)]
        return torch.cat(codes).numpy() if codes else np.zeros((0, self.network.latent_size), np.float32)

    @torch.inference_mode()
    def kl(self, images: NDArray) -> NDArray[np.float32] | None:
        """Divergence of each dimension from the prior in nats, ``(N, K)``; None for a code without a distribution."""
        network = self.network
        if not isinstance(network, VariationalAutoencoder):
            return None
        posteriors = (network.posterior(self._input(batch).to(self.device)) for batch in self._batches(images))
        return torch.cat([kl_per_dimension(*posterior).cpu() for posterior in posteriors]).numpy()

    @torch.inference_mode()
    def channels(self, codes: NDArray[np.floating]) -> NDArray[np.float32]:
        """Output of the network, ``(N, C, H, W)``, for codes ``(N, K)``."""
        batches = torch.from_numpy(np.asarray(codes, np.float32)).split(self.batch_size)
        images = [self.network.decode(batch.to(self.device)).cpu() for batch in batches]
        return torch.cat(images).numpy() if images else np.zeros((0, *self.network.image_shape), np.float32)

    def decode(self, codes: NDArray[np.floating]) -> NDArray:
        """Images ``(N, H, W)`` of codes ``(N, K)``."""
        return self.channels(codes)[:, 0]


class MaskModel(LatentModel):
    """Encode and decode masks ``(N, H, W)`` uint8, whose classes are the channels of the network."""

    def _input(self, images: Tensor) -> Tensor:
        return one_hot(images)

    def probabilities(self, codes: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probabilities of the classes ``(N, C, H, W)`` of codes ``(N, K)``."""
        return self.channels(codes)

    def decode(self, codes: NDArray[np.floating]) -> NDArray[np.uint8]:
        """Masks ``(N, H, W)`` of codes ``(N, K)``: the most probable class of each pixel."""
        chunks = np.array_split(codes, max(1, -(-len(codes) // self.batch_size)))
        return np.concatenate([self.channels(chunk).argmax(1).astype(np.uint8) for chunk in chunks])
