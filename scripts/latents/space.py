# SPDX-License-Identifier: Apache-2.0
"""A trained recipe together with the codes of its cohort."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..data.cohort import PARTS
from .density import ParzenWindow
from .model import LatentModel
from .trained_recipe import TrainedRecipe

__all__ = ["HELD_OUT", "LatentSpace"]

HELD_OUT = ("test", "validation")


class LatentSpace(ABC):
    """Network, images and codes of a recipe: what everything that uses the latent space starts from.

    Args:
        trained: the recipe with its weights.
        model: its network.
        images: of each part, ``(N, H, W)``.
        subject: of each part, whose image it is, ``(N,)``.
        level: of each part, where in the head, 0 to 1, ``(N,)``.
        part: of the cohort, "test" or "validation": the subjects on whom everything is measured and shown.

    Attributes:
        recipe: its name.
        codes: of each part, ``(N, K)``.
    """

    spacing_mm: tuple[float, float]
    """Of the pixels, height and width."""

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
        """Row of the nearest training image of each ``(N, H, W)``, and how far it is, ``(N,)``; 0 for a copy."""

    @abstractmethod
    def picture(self, rows: list[NDArray], row_titles: Any = (), column_titles: Any = ()) -> Figure:
        """Images in rows."""

    def table(self, images: NDArray) -> pd.DataFrame:
        """What can be measured of decoded images, a row each."""
        return pd.DataFrame(index=range(len(images)))

    @abstractmethod
    def save(self, images: NDArray, path: Path) -> None:
        """Write images as a NIfTI stack."""
