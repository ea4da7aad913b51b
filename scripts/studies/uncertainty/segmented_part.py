# SPDX-License-Identifier: Apache-2.0
"""The slices of one part of a cohort, segmented, with the maps of every method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from ...networks.latent import JointAutoencoder
from ...tissue.datasets import ImageMaskDataset
from .maps import dropout_probabilities, edge_map, entropy_map
from .mask_bank import MaskBank

__all__ = ["METHODS", "SegmentedPart", "segment"]

METHODS = ("crisp", "entropy", "mc_dropout", "edge")
BATCH = 256


@dataclass(frozen=True)
class SegmentedPart:
    """Slices, their segmentation, and how uncertain each method is of it.

    Attributes:
        images: ``(N, 1, H, W)``.
        label: classes, ``(N, H, W)`` uint8.
        predicted: classes, ``(N, H, W)`` uint8; the same for every method, so that all foresee the same errors.
        nearest: the training mask that fits the image best, ``(N, H, W)`` uint8.
        maps: of each method, ``(N, H, W)`` in [0, 1].
        subjects: of each slice, ``(N,)``.
        level: of each slice in its head, ``(N,)``.
    """

    images: Tensor
    label: Tensor
    predicted: Tensor
    nearest: Tensor
    maps: dict[str, Tensor]
    subjects: NDArray[np.str_]
    level: NDArray[np.float64]

    @property
    def error(self) -> Tensor:
        """Where the prediction is wrong, ``(N, H, W)`` bool."""
        return self.predicted != self.label


def segment(
    data: ImageMaskDataset,
    unet: nn.Module,
    joint: JointAutoencoder,
    bank: MaskBank,
    passes: int,
    seed: int,
    device: str = "cpu",
) -> SegmentedPart:
    """Segment the slices of a part of the cohort and ask every method how sure that is.

    Args:
        data: the slices.
        unet: from images to probabilities, with dropout.
        joint: the network of images and masks.
        bank: masks of the training.
        passes: of Monte-Carlo dropout.
        seed: of its draws.
        device: where the networks are.
    """
    batches = [
        _segment_batch(images, unet, joint, bank, passes, seed + number, device)
        for number, images in enumerate(tqdm(data.images.split(BATCH), "segmenting", unit="batch"))
    ]
    predicted, nearest, *maps = (torch.cat(values) for values in zip(*batches, strict=True))
    return SegmentedPart(
        images=data.images,
        label=data.classes,
        predicted=predicted,
        nearest=nearest,
        maps=dict(zip(METHODS, maps, strict=True)),
        subjects=data.tissue.subject,
        level=data.tissue.level,
    )


@torch.inference_mode()
def _segment_batch(
    images: Tensor, unet: nn.Module, joint: JointAutoencoder, bank: MaskBank, passes: int, seed: int, device: str
) -> Sequence[Tensor]:
    """Prediction, nearest mask, and a map for each of :data:`METHODS`."""
    images = images.to(device)
    probabilities = unet(images)
    predicted = probabilities.argmax(1).to(torch.uint8).cpu()
    directions = joint.image_direction(images).cpu()
    dropped = dropout_probabilities(unet, images, passes, seed)
    maps = {
        "crisp": bank.uncertainty(directions, predicted),
        "entropy": entropy_map(probabilities).cpu(),
        "mc_dropout": entropy_map(dropped).cpu(),
        "edge": edge_map(predicted),
    }
    return predicted, bank.nearest(directions), *(maps[method] for method in METHODS)
