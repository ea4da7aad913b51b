# SPDX-License-Identifier: Apache-2.0
"""A recipe with the weights of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from ..files.installation import cache_folder
from .places import PUBLISHED, ROOT
from .recipe import build, find_recipe, merged_config
from .weights import load_weights

__all__ = ["TrainedRecipe"]


class TrainedRecipe:
    """Config and network of a recipe, and how it reads heads.

    Args:
        recipe: name of a recipe, or path of its file.
        weights: ``model.pt`` of a training of the recipe; by default that in ``eval/<recipe>`` below the working
            directory, or else the published one.
        device: device on which the network runs.

    Attributes:
        name: name of the recipe.
        config: merged config.
        weights: path of the weights.
        device: device on which the network runs.
        network: network in evaluation mode, loaded on first use.

    Raises:
        ValueError: there is no such recipe; when the network is loaded: the weights are of another one.
        FileNotFoundError: there is no such recipe file; when the network is loaded: there are no weights.

    Example:
        >>> recipe = brain_ae.TrainedRecipe("vae")
        >>> recipe.network.latent_size, sum(weights.numel() for weights in recipe.network.parameters())
        (64, 911624)
    """

    def __init__(self, recipe: str, weights: str | None = None, device: str = "cpu") -> None:
        found = find_recipe(str(recipe))
        self.name = found.name
        self.device = torch.device(device)
        self.config = merged_config(
            found, {"bundle_root": str(ROOT), "cache_dir": str(cache_folder() / "cache"), "device": self.device}
        )
        self.weights = Path(weights) if weights else _default_weights(self.name)

    @cached_property
    def network(self) -> Any:
        """The network with its weights."""
        return load_weights(self.part("network_def"), self.weights).eval().to(self.device)

    def part(self, name: str) -> Any:
        """A part of the config, such as ``train#preprocessing``, as the object that it declares."""
        return build(self.config, name)

    def dataset(self, items: Sequence[Mapping[str, Any]], progress: bool = True, **settings: Any) -> Any:
        """The slices of heads, on the grid of the recipe.

        Args:
            items: heads, as :func:`scripts.data.cohort.load_datalist` gives them.
            progress: whether to show a progress bar.
            **settings: arguments that replace those of the recipe's dataset, such as ``min_area_mm2``.

        Raises:
            ValueError: a file is missing or cannot be used.
        """
        declared = {**self.config["train"]["dataset"], "progress": progress, **settings}
        train = {**self.config["train"], "datalist": list(items), "dataset": declared}
        return build({**self.config, "train": train}, "train#dataset")


def _default_weights(name: str) -> Path:
    """Those of a training here, or else the published ones."""
    trained, published = Path("eval", name, "model.pt"), PUBLISHED / name / "model.pt"
    return published if published.is_file() and not trained.is_file() else trained
