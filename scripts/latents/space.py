# SPDX-License-Identifier: Apache-2.0
"""A trained recipe together with the codes of its cohort."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..attributes import attribute_table
from ..data.cohort import PARTS, load_datalist
from ..data.tissue_slices import TissueSliceDataset
from .density import ParzenWindow
from .measures import spearman_matrix
from .nearest import nearest_masks
from .tissue_recipe import TissueRecipe

__all__ = ["LatentSpace"]

LEVEL = "slice_level"
NEIGHBOURS = 10
HELD_OUT = ("test", "validation")


class LatentSpace:
    """Network, masks and codes of a recipe: what everything that uses the latent space starts from.

    Args:
        recipe: name of a file of configs/recipe, or its path.
        dataset_dir: folder of dataset.json, with region labels.
        weights: ``model.pt`` of a training of the recipe; by default that of its default ``output_dir``.
        device: where the network runs.
        part: of the cohort, "test" or "validation": the subjects on whom everything is measured and shown.

    Attributes:
        trained: the recipe with its weights.
        config: the merged config of the recipe.
        regularised: whether the recipe ties its first latent dimensions to the attributes.
        names: of the attributes.
        masks: of each part the :class:`~scripts.data.tissue_slices.TissueSliceDataset`.
        codes: of each part, ``(N, K)``.
        model: the network.

    Raises:
        FileNotFoundError: there is no such recipe, or no weights.
        ValueError: the recipe is not of tissue masks, or the weights are of another network.
    """

    def __init__(
        self, recipe: str, dataset_dir: str = "", weights: str | None = None, device: str = "cpu", part: str = "test"
    ) -> None:
        if part not in HELD_OUT:
            raise ValueError(f"--part must be one of {', '.join(HELD_OUT)}, got {part!r}.")
        self.part = part
        self.trained = trained = TissueRecipe(recipe, weights, device)
        self.recipe, self.config, self.weights = trained.name, trained.config, trained.weights
        self.model, self.regularised = trained.model, trained.regularised
        self.masks: dict[str, TissueSliceDataset] = {
            part: trained.dataset(load_datalist(dataset_dir, part)) for part in PARTS
        }
        self.names = self.masks["training"].names
        self.codes = {part: self.model.encode(masks.tissue.classes) for part, masks in self.masks.items()}

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

    @cached_property
    def window(self) -> ParzenWindow:
        """Parzen window of the training codes, its bandwidth chosen on the validation subjects."""
        return ParzenWindow.fitted(self.codes["training"], self.codes["validation"])

    def measured(self, masks: NDArray[np.uint8], names: Sequence[str] = ()) -> NDArray[np.float64]:
        """Attributes of decoded masks ``(N, H, W)``: ``(N, L)``, or only those named.

        The level is that of :meth:`apparent_level`.
        """
        names = names or self.names
        level = self.apparent_level(masks) if LEVEL in names else None
        return attribute_table(masks, self.masks["training"].tissue.spacing_mm, level, names)

    def apparent_level(self, masks: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Level of masks that come from no head, ``(N,)``: the mean of the ten training masks that are most alike."""
        training = self.masks["training"].tissue
        return training.level[nearest_masks(masks, training.classes, NEIGHBOURS)[0]].mean(1)
