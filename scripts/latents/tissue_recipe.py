# SPDX-License-Identifier: Apache-2.0
"""A recipe of tissue masks with the weights of its training."""

from __future__ import annotations

from functools import cached_property

from .model import MaskModel
from .trained_recipe import TrainedRecipe

__all__ = ["TissueRecipe"]

REGULARISED = "AttributeRegularisation"


class TissueRecipe(TrainedRecipe):
    """A trained recipe whose slices are tissue masks with attributes.

    Args:
        recipe: see :class:`TrainedRecipe`.
        weights: see :class:`TrainedRecipe`.
        device: where the network runs.

    Attributes:
        model: the network as two functions.

    Raises:
        FileNotFoundError: there is no such recipe, or no weights.
        ValueError: the recipe is not of tissue masks, or the weights are of another network.
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
