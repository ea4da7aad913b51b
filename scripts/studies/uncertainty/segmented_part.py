# SPDX-License-Identifier: Apache-2.0
"""The slices of one part of a cohort, segmented, with the maps of every method; and a picture of some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from ...latent.figures import TISSUE_COLOURS
from ...networks.latent import JointAutoencoder
from ...tissue.datasets import ImageMaskDataset
from .maps import MaskBank, dropout_probabilities, edge_map, entropy_map

__all__ = ["SegmentedPart", "map_figure", "segment"]

BATCH = 256


@dataclass(frozen=True)
class SegmentedPart:
    """Slices, their segmentation, and how uncertain each method is of it.

    Attributes:
        images: ``(N, 1, H, W)``.
        label: classes, ``(N, H, W)`` uint8.
        predicted: classes, ``(N, H, W)`` uint8; the same for every method, so that all foresee the same errors.
        nearest: the training mask that fits the image best, ``(N, H, W)`` uint8.
        maps: map of each method, ``(N, H, W)`` in [0, 1].
        subjects: subject of each slice, ``(N,)``.
        level: level of each slice in its head, ``(N,)``.
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


@torch.inference_mode()
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
        passes: number of passes of Monte-Carlo dropout.
        seed: seed of its draws.
        device: device of the networks.
    """
    parts = []
    for number, batch in enumerate(tqdm(data.images.split(BATCH), "segmenting", unit="batch")):
        images = batch.to(device)
        probabilities = unet(images)
        predicted = probabilities.argmax(1).to(torch.uint8).cpu()
        directions = joint.image_direction(images).cpu()
        dropped = dropout_probabilities(unet, images, passes, seed + number)
        parts.append(
            {
                "predicted": predicted,
                "nearest": bank.nearest(directions),
                "crisp": bank.uncertainty(directions, predicted),
                "entropy": entropy_map(probabilities).cpu(),
                "mc_dropout": entropy_map(dropped).cpu(),
                "edge": edge_map(predicted),
            }
        )
    maps = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    predicted, nearest = maps.pop("predicted"), maps.pop("nearest")
    return SegmentedPart(data.images, data.classes, predicted, nearest, maps, data.tissue.subject, data.tissue.level)


def map_figure(part: SegmentedPart, rows: Sequence[tuple[str, int]]) -> Figure:
    """Image, label, prediction, error and the map of each method, from 0 (black) to 1 (yellow).

    Args:
        part: the slices.
        rows: title and row of each slice, one below the other.
    """
    tissue = {"cmap": TISSUE_COLOURS, "vmin": 0, "vmax": 3}
    shown = {
        "image": (part.images[:, 0], {"cmap": "gray", "vmin": 0, "vmax": 1}),
        "label": (part.label, tissue),
        "prediction": (part.predicted, tissue),
    } | {
        name: (values, {"cmap": "inferno", "vmin": 0, "vmax": 1})
        for name, values in {"error": part.error, **part.maps}.items()
    }
    figure = Figure(figsize=(0.9 + 1.05 * len(shown), 0.3 + 1.05 * len(rows)))
    axes = figure.subplots(len(rows), len(shown), squeeze=False)
    for line, (title, row) in zip(axes, rows, strict=True):
        for axis, (values, settings) in zip(line, shown.values(), strict=True):
            axis.imshow(values[row].numpy(), interpolation="nearest", **settings)
            axis.set(xticks=[], yticks=[], frame_on=False)
        line[0].set_ylabel(title, fontsize=7)
    for axis, name in zip(axes[0], shown, strict=True):
        axis.set_title(name.replace("_", " "), fontsize=8)
    figure.subplots_adjust(left=0.06, right=0.99, bottom=0.01, top=0.95, wspace=0.04, hspace=0.04)
    return figure
