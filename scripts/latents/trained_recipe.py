# SPDX-License-Identifier: Apache-2.0
"""A recipe of tissue masks with the weights of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from ..data.tissue_slices import TissueSliceDataset
from .model import LatentModel

__all__ = ["TrainedRecipe"]

ROOT = Path(__file__).resolve().parents[2]
REGULARISED = "AttributeRegularisation"


class TrainedRecipe:
    """Config and network of a recipe, and how it reads heads.

    Args:
        recipe: name of a file of configs/recipe, or its path.
        weights: ``model.pt`` of a training of the recipe; by default that of its default ``output_dir``.
        device: where the network runs.

    Attributes:
        name: of the recipe.
        config: its merged config.
        weights: path of the weights.
        model: the network.

    Raises:
        FileNotFoundError: there is no such recipe, or no weights.
        ValueError: the recipe is not of tissue masks, or the weights are of another network.
    """

    def __init__(self, recipe: str, weights: str | None = None, device: str = "cpu") -> None:
        path = _recipe_file(str(recipe))
        self.name = path.stem
        self._settings: dict[str, Any] = dict(ConfigParser.load_config_file(path))
        self._files = [str(ROOT / file) for file in self._settings.pop("config_file")]
        self._settings |= {"bundle_root": str(ROOT), "device": torch.device(device)}
        parser = self._parser()
        self.config = parser.get()
        if "attributes" not in self.config["train"]["dataset"]:
            raise ValueError(
                f"recipe {self.name} is not of tissue masks, so it has no attributes. Choose one whose config_file "
                "lists configs/data/tissue_slices.yaml, such as ar_vae."
            )
        self.weights = Path(weights) if weights else ROOT / "eval" / self.name / "model.pt"
        network = parser.get_parsed_content("network_def")
        _load(network, self.weights, self.name)
        self.model = LatentModel(network, device)

    def dataset(
        self, items: Sequence[Mapping[str, Any]], progress: bool = True, min_area_mm2: float | None = None
    ) -> TissueSliceDataset:
        """The masks of heads with ``subject`` and ``label``, on the grid of the recipe.

        Args:
            items: the heads.
            progress: show a progress bar.
            min_area_mm2: smallest brain area of a slice that is kept; that of the recipe by default.

        Raises:
            ValueError: a label file is missing or cannot be used.
        """
        parser = self._parser()
        parser["train"]["datalist"] = list(items)
        parser["train"]["dataset"]["progress"] = progress
        if min_area_mm2 is not None:
            parser["train"]["dataset"]["min_area_mm2"] = min_area_mm2
        return parser.get_parsed_content("train#dataset")

    @cached_property
    def regularised(self) -> bool:
        """Whether the recipe ties its first latent dimensions to the attributes."""
        return any(REGULARISED in str(term.get("_target_")) for term in self.config["regularisers"])

    def _parser(self) -> ConfigParser:
        parser = ConfigParser()
        parser.read_config(self._files)
        parser.update(self._settings)
        return parser


def _recipe_file(recipe: str) -> Path:
    path = Path(recipe) if recipe.endswith(".yaml") else ROOT / "configs" / "recipe" / f"{recipe}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in (ROOT / "configs" / "recipe").glob("*.yaml")))
        raise FileNotFoundError(f"there is no recipe {recipe!r}. The recipes are: {known}.")
    return path


def _load(network: torch.nn.Module, weights: Path, recipe: str) -> None:
    if not weights.is_file():
        raise FileNotFoundError(
            f"there are no weights at {weights}: train with python -m monai.bundle run training --args_file "
            f"configs/recipe/{recipe}.yaml --dataset_dir DATA, or name a file with --weights FILE."
        )
    try:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except Exception as error:  # a damaged file makes torch.load raise nearly anything
        reason = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"weights {weights} do not fit the network of recipe {recipe}: {reason}") from error
