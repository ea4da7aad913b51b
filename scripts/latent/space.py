# SPDX-License-Identifier: Apache-2.0
"""Latent space of a trained recipe: its network, the images of a cohort, and their codes.

:class:`SliceSpace` is that of T1-weighted slices, :class:`TissueSpace` that of tissue masks; :func:`open_space` opens
the one of a given recipe.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..data.cohort import load_datalist
from ..data.split import PARTS
from ..networks.latent import DenseAutoencoder
from ..recipes.trained import TrainedRecipe
from ..tissue import attribute_table
from ..tissue.datasets import TissueSliceDataset
from .figures import mask_grid, save_stack, slice_grid
from .measures import spearman_matrix
from .model import LatentModel, MaskModel
from .nearest import LevelRegression, nearest_masks, nearest_slices
from .sampling import ParzenWindow

__all__ = ["HELD_OUT", "LatentSpace", "SliceSpace", "TissueRecipe", "TissueSpace", "open_space", "open_tissue_space"]

HELD_OUT = ("test", "validation")
"""Parts of a cohort on which a latent space can be measured."""
PIXEL_MM = 2.0
"""Pixel size of the T1-weighted slices (configs/data/frame_128.yaml)."""
REGULARISED = "AttributeRegularisation"
LEVEL = "slice_level"


class LatentSpace(ABC):
    """Network, images and codes of a recipe, from which everything that uses the latent space starts.

    Args:
        trained: recipe with its weights.
        model: network of the recipe as two functions.
        images: images of each part of the cohort, ``(N, H, W)``.
        subject: subject of each image, ``(N,)``, by part.
        level: position of each image in its head, 0 to 1, ``(N,)``, by part.
        part: held-out part of the cohort, "test" or "validation", on which everything is measured and shown.

    Attributes:
        recipe: name of the recipe.
        codes: codes of each part, ``(N, K)``.
    """

    spacing_mm: tuple[float, float]
    """Height and width of a pixel."""

    def __init__(
        self,
        trained: TrainedRecipe,
        model: LatentModel,
        images: dict[str, NDArray],
        subject: dict[str, NDArray[np.str_]],
        level: dict[str, NDArray[np.float64]],
        part: str,
    ) -> None:
        self.trained, self.model, self.part = trained, model, part
        self.recipe, self.config, self.weights = trained.name, trained.config, trained.weights
        self.images, self.subject, self.level = images, subject, level
        self.codes = {part: model.encode(images[part]) for part in PARTS}

    @cached_property
    def window(self) -> ParzenWindow:
        """Parzen window of the training codes, its bandwidth chosen on the validation subjects."""
        return ParzenWindow.fitted(self.codes["training"], self.codes["validation"])

    @abstractmethod
    def nearest(self, images: NDArray) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Index of the nearest training image of each of ``(N, H, W)``, and its distance, ``(N,)``; 0 for a copy."""

    @abstractmethod
    def picture(self, rows: list[NDArray], row_titles: Any = (), column_titles: Any = ()) -> Figure:
        """Figure of images in rows and columns."""

    def table(self, images: NDArray) -> pd.DataFrame:
        """Measurements of decoded images, one row each."""
        return pd.DataFrame(index=range(len(images)))

    @abstractmethod
    def save(self, images: NDArray, path: Path) -> None:
        """Write images as a NIfTI stack."""


class SliceSpace(LatentSpace):
    """T1-weighted slices in [0, 1] and their codes.

    Args:
        trained: recipe with its weights.
        dataset_dir: folder of dataset.json.
        part: "test" or "validation", see :class:`LatentSpace`.

    Raises:
        ValueError: the code of the recipe's network is not a single vector, or a file is damaged.
    """

    spacing_mm = (PIXEL_MM, PIXEL_MM)

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
        """See :class:`LatentSpace`; the distance is the root mean squared difference."""
        return nearest_slices(images, self.images["training"])

    def picture(self, rows: list[NDArray], row_titles: Any = (), column_titles: Any = ()) -> Figure:
        """See :class:`LatentSpace`."""
        return slice_grid(rows, row_titles, column_titles)

    def save(self, images: NDArray, path: Path) -> None:
        """See :class:`LatentSpace`; in the plane of the recipe."""
        save_stack(np.asarray(images, np.float32), self.spacing_mm, path, self.config["plane"])


class TissueRecipe(TrainedRecipe):
    """A trained recipe whose slices are tissue masks with attributes.

    Args:
        recipe: see :class:`TrainedRecipe`.
        weights: see :class:`TrainedRecipe`.
        device: device of the network.

    Attributes:
        model: network as two functions.

    Raises:
        FileNotFoundError: there is no such recipe, or no weights.
        ValueError: the recipe does not train on tissue masks, or the weights are those of another network.
    """

    def __init__(self, recipe: str, weights: str | None = None, device: str = "cpu") -> None:
        super().__init__(recipe, weights, device)
        if "attributes" not in self.config["train"]["dataset"]:
            raise ValueError(
                f"recipe {self.name} is not of tissue masks, so it has no attributes. Choose one whose config_file "
                "lists configs/data/tissue_slices.yaml, such as ar_vae."
            )
        self.model = MaskModel(self.network, device)

    @cached_property
    def regularised(self) -> bool:
        """Whether the recipe ties its first latent dimensions to the attributes."""
        return any(REGULARISED in str(term.get("_target_")) for term in self.config["regularisers"])


class TissueSpace(LatentSpace):
    """Tissue masks with their attributes and codes.

    Args:
        trained: recipe with its weights.
        dataset_dir: folder of dataset.json, with region labels.
        part: "test" or "validation", see :class:`LatentSpace`.

    Attributes:
        names: names of the attributes.
        regularised: whether the recipe ties its first latent dimensions to the attributes.
        masks: dataset of each part, :class:`~scripts.tissue.datasets.TissueSliceDataset`.

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
        """Latent dimension of each attribute: the one tied to it, or else the best correlated one in the training."""
        if self.regularised:
            return {name: dimension for dimension, name in enumerate(self.names)}
        best = np.abs(spearman_matrix(self.codes["training"], self.attributes("training"))).argmax(1)
        return {name: int(dimension) for name, dimension in zip(self.names, best, strict=True)}

    def measured(self, masks: NDArray[np.uint8], names: Sequence[str] = ()) -> NDArray[np.float64]:
        """Attributes ``(N, L)`` of decoded masks ``(N, H, W)``: all, or only those named.

        The level is that of :attr:`apparent_level`.
        """
        names = names or self.names
        level = self.apparent_level(masks) if LEVEL in names else None
        return attribute_table(masks, self.spacing_mm, level, names)

    @cached_property
    def apparent_level(self) -> LevelRegression:
        """Function that estimates the levels ``(N,)`` of decoded masks, learned from the training masks."""
        return LevelRegression(self.images["training"], self.level["training"])

    def nearest(self, images: NDArray) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """See :class:`LatentSpace`; the distance is the share of the brain that differs."""
        rows, difference = nearest_masks(images, self.images["training"])
        return rows[:, 0], difference

    def picture(self, rows: list[NDArray], row_titles: Any = (), column_titles: Any = ()) -> Figure:
        """See :class:`LatentSpace`."""
        return mask_grid(rows, row_titles, column_titles)

    def table(self, images: NDArray) -> pd.DataFrame:
        """Attributes of decoded masks, one row each."""
        return pd.DataFrame(self.measured(images), columns=list(self.names)).round(4)

    def save(self, images: NDArray, path: Path) -> None:
        """See :class:`LatentSpace`."""
        save_stack(images, self.spacing_mm, path)


def open_space(
    recipe: str, dataset_dir: str = "", weights: str | None = None, device: str = "cpu", part: str = "test"
) -> LatentSpace:
    """The latent space of a recipe, of tissue masks or of T1-weighted slices.

    Args:
        recipe: name of a file of configs/recipe, or its path.
        dataset_dir: folder of dataset.json; for tissue masks with region labels.
        weights: weights of the recipe, see :class:`~scripts.recipes.trained.TrainedRecipe`.
        device: device of the network.
        part: held-out part of the cohort, "test" or "validation".

    Raises:
        FileNotFoundError: there is no such recipe, or no weights.
        ValueError: the recipe's code is not a single vector, the weights are those of another network, or the cohort
            does not fit.
    """
    if part not in HELD_OUT:
        raise ValueError(f"part must be one of {', '.join(HELD_OUT)}, got {part!r}.")
    trained = TrainedRecipe(recipe, weights, device)
    if "attributes" in trained.config["train"]["dataset"]:
        return open_tissue_space(recipe, dataset_dir, weights, device, part)
    return SliceSpace(trained, dataset_dir, part)


def open_tissue_space(
    recipe: str, dataset_dir: str = "", weights: str | None = None, device: str = "cpu", part: str = "test"
) -> TissueSpace:
    """The latent space of a recipe of tissue masks, for what needs attributes; see :func:`open_space`."""
    return TissueSpace(TissueRecipe(recipe, weights, device), dataset_dir, part)
