# SPDX-License-Identifier: Apache-2.0
"""Latent space of a recipe of tissue masks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..attributes import attribute_table
from ..data.cohort import PARTS, load_datalist
from ..data.tissue_slices import TissueSliceDataset
from ..reports.latent_figures import mask_grid
from .level_regression import LevelRegression
from .measures import spearman_matrix
from .model import MaskModel
from .nearest import nearest_masks
from .space import LatentSpace
from .stack import save_stack
from .tissue_recipe import TissueRecipe

__all__ = ["TissueSpace"]

LEVEL = "slice_level"


class TissueSpace(LatentSpace):
    """Tissue masks with their attributes and codes.

    Args:
        trained: the recipe with its weights.
        dataset_dir: folder of dataset.json, with region labels.
        part: "test" or "validation", see :class:`LatentSpace`.

    Attributes:
        names: of the attributes.
        regularised: whether the recipe ties its first latent dimensions to them.
        masks: of each part the :class:`~scripts.data.tissue_slices.TissueSliceDataset`.

    Raises:
        ValueError: the cohort has no labels, or a file is damaged.
    """

    model: MaskModel

    def __init__(self, trained: TissueRecipe, dataset_dir: str = "", part: str = "test") -> None:
        self.masks: dict[str, TissueSliceDataset] = {
            name: trained.dataset(load_datalist(dataset_dir, name)) for name in PARTS
        }
        self.names, self.regularised = self.masks["training"].names, trained.regularised
        tissues = {name: masks.tissue for name, masks in self.masks.items()}
        self.spacing_mm = tissues["training"].spacing_mm
        super().__init__(
            trained,
            trained.model,
            {name: tissue.classes for name, tissue in tissues.items()},
            {name: tissue.subject for name, tissue in tissues.items()},
            {name: tissue.level for name, tissue in tissues.items()},
            part,
        )

    def attributes(self, part: str) -> NDArray[np.float32]:
        """Attributes of the masks of a part, ``(N, L)``, NaN where undefined."""
        return self.masks[part].attributes.numpy()

    @cached_property
    def dims(self) -> dict[str, int]:
        """The latent dimension of each attribute: its own, or else the one that follows it best in the training."""
        if self.regularised:
            return {name: dimension for dimension, name in enumerate(self.names)}
        best = np.abs(spearman_matrix(self.codes["training"], self.attributes("training"))).argmax(1)
        return {name: int(dimension) for name, dimension in zip(self.names, best, strict=True)}

    def measured(self, masks: NDArray[np.uint8], names: Sequence[str] = ()) -> NDArray[np.float64]:
        """Attributes of decoded masks ``(N, H, W)``: ``(N, L)``, or only those named.

        The level is that of :meth:`apparent_level`.
        """
        names = names or self.names
        level = self.apparent_level(masks) if LEVEL in names else None
        return attribute_table(masks, self.spacing_mm, level, names)

    def apparent_level(self, masks: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Level of masks that come from no head, ``(N,)``, by :class:`LevelRegression` on the training masks."""
        return self._level_regression(masks)

    @cached_property
    def _level_regression(self) -> LevelRegression:
        return LevelRegression(self.images["training"], self.level["training"])

    def nearest(self, images: NDArray) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """See :class:`LatentSpace`; the distance is the share of the brain that differs."""
        rows, difference = nearest_masks(images, self.images["training"])
        return rows[:, 0], difference

    def picture(self, rows: list[NDArray], row_titles: Any = (), column_titles: Any = ()) -> Figure:
        """See :class:`LatentSpace`."""
        return mask_grid(rows, row_titles, column_titles)

    def table(self, images: NDArray) -> pd.DataFrame:
        """Their attributes."""
        return pd.DataFrame(self.measured(images), columns=list(self.names)).round(4)

    def save(self, images: NDArray, path: Path) -> None:
        """See :class:`LatentSpace`."""
        save_stack(images, self.spacing_mm, path)
