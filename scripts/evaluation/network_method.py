# SPDX-License-Identifier: Apache-2.0
"""Trained networks as methods to be compared: slices in, restored slices of the same size out."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import clean_exit
from ..inference import load_network
from ..networks import ResidualUNet

__all__ = ["NetworkMethod", "published_network", "trained_network"]

DIVISOR = 8
"""The networks halve the image three times."""


class NetworkMethod:
    """Apply a network to slices of any size.

    The slices are padded with zeros to a multiple of 8, centred as in training, and cut back; never resampled.

    Args:
        network: in evaluation mode, on its device.
        batch_size: slices at a time.
        clip: clip the input to [0, 1] first, for networks that end in a sigmoid and were trained on such images.
    """

    def __init__(self, network: nn.Module, batch_size: int = 32, clip: bool = False) -> None:
        self.network = network
        self.batch_size = batch_size
        self.clip = clip

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """Restore ``images`` of shape ``(N, 1, H, W)``."""
        height, width = images.shape[-2:]
        rows, columns = -height % DIVISOR, -width % DIVISOR
        top, left = rows // 2, columns // 2
        padded = F.pad(images.clamp(0, 1) if self.clip else images, (left, columns - left, top, rows - top))
        restored = torch.cat([self.network(batch) for batch in padded.split(self.batch_size)])
        return restored[..., top : top + height, left : left + width].float()


def trained_network(
    network: nn.Module, weights: str, device: torch.device, amp: bool = False, batch_size: int = 32
) -> NetworkMethod:
    """The network of a recipe with the weights that its training wrote.

    Args:
        network: of the recipe; set up for the device here, as for inference.
        weights: ``model.pt``.
        device: where it runs.
        amp: compute in bfloat16.
        batch_size: slices at a time.

    Raises:
        SystemExit: there are no such weights, or they are those of another network.
    """
    with clean_exit():
        if not Path(weights).is_file():
            raise FileNotFoundError(
                f"there are no trained weights at {weights}: train first, with the same recipe and "
                "python -m monai.bundle run training ..., or name a file with --weights FILE."
            )
        return NetworkMethod(load_network(network, weights, device, amp), batch_size)


def published_network(
    weights: str | None, device: torch.device, amp: bool = False, batch_size: int = 32
) -> NetworkMethod | None:
    """The thesis's Residual U-Net with its published weights; ``None`` where no file is given.

    It ends in a sigmoid and saw images in [0, 1], so its input is clipped to that range. It was trained on slices that
    are min-max scaled one by one; here it gets the volume's scale, as every method does.

    Args:
        weights: written by ``python -m scripts.import_keras ... --network residual_unet --output FILE``.
        device: where it runs.
        amp: compute in bfloat16.
        batch_size: slices at a time.

    Raises:
        SystemExit: there is no such file, or it holds other weights.
    """
    if not weights:
        return None
    with clean_exit():
        if not Path(weights).is_file():
            raise FileNotFoundError(
                f"there are no published weights at {weights}: make them with "
                "python -m scripts.import_keras WEIGHTS --network residual_unet --output FILE, or leave the row out."
            )
        return NetworkMethod(load_network(ResidualUNet(), weights, device, amp), batch_size, clip=True)
