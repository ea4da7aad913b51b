# SPDX-License-Identifier: Apache-2.0
"""Opens the latent space of any recipe."""

from __future__ import annotations

from .slice_space import SliceSpace
from .space import HELD_OUT, LatentSpace
from .tissue_recipe import TissueRecipe
from .tissue_space import TissueSpace
from .trained_recipe import TrainedRecipe

__all__ = ["open_space", "open_tissue_space"]


def open_space(
    recipe: str, dataset_dir: str = "", weights: str | None = None, device: str = "cpu", part: str = "test"
) -> LatentSpace:
    """The latent space of a recipe, of tissue masks or of T1-weighted slices.

    Args:
        recipe: name of a file of configs/recipe, or its path.
        dataset_dir: folder of dataset.json; for tissue masks with region labels.
        weights: ``model.pt`` of a training of the recipe, see :class:`~scripts.latents.trained_recipe.TrainedRecipe`.
        device: where the network runs.
        part: of the cohort, "test" or "validation".

    Raises:
        FileNotFoundError: there is no such recipe, or no weights.
        ValueError: the recipe has no code of one vector, the weights are of another network, or the cohort does not
            fit.
    """
    if part not in HELD_OUT:
        raise ValueError(f"--part must be one of {', '.join(HELD_OUT)}, got {part!r}.")
    trained = TrainedRecipe(recipe, weights, device)
    if "attributes" in trained.config["train"]["dataset"]:
        return open_tissue_space(recipe, dataset_dir, weights, device, part)
    return SliceSpace(trained, dataset_dir, part)


def open_tissue_space(
    recipe: str, dataset_dir: str = "", weights: str | None = None, device: str = "cpu", part: str = "test"
) -> TissueSpace:
    """The same, only of tissue masks: for what needs attributes."""
    return TissueSpace(TissueRecipe(recipe, weights, device), dataset_dir, part)
