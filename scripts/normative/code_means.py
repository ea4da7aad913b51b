# SPDX-License-Identifier: Apache-2.0
"""Mean latent code of a head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..latents.tissue_recipe import TissueRecipe
from .measures import Measure

__all__ = ["CODE", "CodeMeans"]

CODE = "code_"
"""Begins the names of these measures."""


class CodeMeans:
    """Means over the slices of a head of those latent dimensions that are tied to attributes.

    Args:
        recipe: a recipe with ``reg/attributes``, such as ar_vae.
        weights: ``model.pt`` of its training.

    Attributes:
        measures: for each attribute, ``code_<attribute>``; without a unit.

    Raises:
        FileNotFoundError: there is no such recipe, or no weights.
        ValueError: the recipe ties no dimension to an attribute.
    """

    def __init__(self, recipe: str, weights: str) -> None:
        self.trained = TissueRecipe(recipe, weights)
        if not self.trained.regularised:
            raise ValueError(
                f"recipe {self.trained.name} ties no latent dimension to an attribute, so that they mean nothing for a "
                "chart. Choose one that lists configs/reg/attributes.yaml, such as ar_vae."
            )
        names = self.trained.config["train"]["dataset"]["attributes"]
        self.measures = {f"{CODE}{name}": Measure("", False) for name in names}

    def __call__(self, items: Sequence[Mapping[str, Any]], progress: bool = True) -> pd.DataFrame:
        """Means of each head, in the order of ``items``: a column for each measure."""
        numbered = [{**item, "subject": str(row)} for row, item in enumerate(items)]  # a subject may have two heads
        masks = self.trained.dataset(numbered, progress)
        codes = self.trained.model.encode(masks.tissue.classes)[:, : len(self.measures)]
        head = masks.tissue.subject.astype(int)
        means = [codes[head == row].mean(0) if (head == row).any() else np.nan for row in range(len(items))]
        return pd.DataFrame(means, columns=list(self.measures))
