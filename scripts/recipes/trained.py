# SPDX-License-Identifier: Apache-2.0
"""A recipe with the weights of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from .places import ROOT

__all__ = ["TrainedRecipe"]


class TrainedRecipe:
    """Config and network of a recipe, and how it reads heads.

    Args:
        recipe: name of a file of configs/recipe, or its path.
        weights: ``model.pt`` of a training of the recipe; by default that of its default ``output_dir``, or else the
            shipped one.
        device: where the network runs.

    Attributes:
        name: of the recipe.
        config: its merged config.
        weights: path of the weights.
        device: where the network runs.
        network: loaded when it is first asked for, in evaluation mode.

    Raises:
        FileNotFoundError: there is no such recipe; when the network is asked for: there are no weights.
        ValueError: when the network is asked for: the weights are of another one.
    """

    def __init__(self, recipe: str, weights: str | None = None, device: str = "cpu") -> None:
        path = _recipe_file(str(recipe))
        self.name = path.stem
        self._settings: dict[str, Any] = dict(ConfigParser.load_config_file(path))
        self._files = [str(ROOT / file) for file in self._settings.pop("config_file")]
        self.device = torch.device(device)
        self._settings |= {"bundle_root": str(ROOT), "device": self.device}
        self.config = self._parser().get()
        self.weights = Path(weights) if weights else _default_weights(self.name)

    @cached_property
    def network(self) -> Any:
        """The network with its weights."""
        network = self._parser().get_parsed_content("network_def")
        _load(network, self.weights, self.name)
        return network.eval().to(self.device)

    def dataset(self, items: Sequence[Mapping[str, Any]], progress: bool = True, **settings: Any) -> Any:
        """The slices of heads, on the grid of the recipe.

        Args:
            items: the heads, as :func:`scripts.data.cohort.load_datalist` gives them.
            progress: show a progress bar.
            **settings: arguments of the recipe's dataset that are to differ, such as ``min_area_mm2``.

        Raises:
            ValueError: a file is missing or cannot be used.
        """
        parser = self._parser()
        parser["train"]["datalist"] = list(items)
        parser["train"]["dataset"] |= {"progress": progress, **settings}
        return parser.get_parsed_content("train#dataset")

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


def _default_weights(name: str) -> Path:
    """Of a training here, or else those that come with the repository."""
    trained, shipped = (ROOT / folder / name / "model.pt" for folder in ("eval", "bundle"))
    return shipped if shipped.is_file() and not trained.is_file() else trained


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
