# SPDX-License-Identifier: Apache-2.0
"""Latent space of a recipe of T1-weighted slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..data.cohort import PARTS, load_datalist
from ..networks.latent import DenseAutoencoder
from ..reports.latent_figures import slice_grid
from .model import LatentModel
from .nearest import nearest_slices
from .space import LatentSpace
from .stack import save_stack
from .trained_recipe import TrainedRecipe

__all__ = ["SliceSpace"]

PIXEL_MM = 2.0


class SliceSpace(LatentSpace):
    """T1-weighted slices in [0, 1] and their codes.

    Args:
        trained: the recipe with its weights.
        dataset_dir: folder of dataset.json.
        part: "test" or "validation", see :class:`LatentSpace`.

    Raises:
        ValueError: the recipe's network has no code of one vector, or a file is damaged.
    """

    spacing_mm = (PIXEL_MM, PIXEL_MM)  # configs/data/frame_128.yaml

    def __init__(self, trained: TrainedRecipe, dataset_dir: str = "", part: str = "test") -> None:
        network = trained.network
        if not isinstance(network, DenseAutoencoder) or network.image_shape[0] != 1:
            raise ValueError(
                f"recipe {trained.name} has no code of one vector for images of one channel. Choose one of tissue "
                "masks, such as ar_vae, or of slices, such as vae."
            )
        images, subject, level = {}, {}, {}
        for name in PARTS:
            items = load_datalist(dataset_dir, name)
            images[name] = trained.dataset(items).images[:, 0].numpy()  # (N, H, W) float16
            subject[name] = np.array([item["subject"] for item in items for _ in item["slices"]])
            level[name] = np.concatenate([np.linspace(0, 1, len(item["slices"])) for item in items])
        super().__init__(trained, LatentModel(network, trained.device), images, subject, level, part)

    def nearest(self, images: NDArray) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """See :class:`LatentSpace`; the distance is the root of the mean squared difference."""
        return nearest_slices(images, self.images["training"])

    def picture(self, rows: list[NDArray], row_titles: Any = (), column_titles: Any = ()) -> Figure:
        """See :class:`LatentSpace`."""
        return slice_grid(rows, row_titles, column_titles)

    def save(self, images: NDArray, path: Path) -> None:
        """See :class:`LatentSpace`; in the plane of the recipe."""
        save_stack(np.asarray(images, np.float32), self.spacing_mm, path, self.config["plane"])
