# SPDX-License-Identifier: Apache-2.0
"""A trained recipe together with the codes of its cohort."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser
from numpy.typing import NDArray

from ..attributes import attribute_table
from ..data.cohort import PARTS
from ..data.tissue_slices import TissueSliceDataset
from .density import ParzenWindow
from .measures import spearman_matrix
from .model import LatentModel
from .nearest import nearest_masks

__all__ = ["LatentSpace"]

ROOT = Path(__file__).resolve().parents[2]
REGULARISED = "AttributeRegularisation"
LEVEL = "slice_level"
NEIGHBOURS = 10


class LatentSpace:
    """Network, masks and codes of a recipe: what everything that uses the latent space starts from.

    Args:
        recipe: name of a file of configs/recipe, or its path.
        dataset_dir: folder of dataset.json, with region labels.
        weights: ``model.pt`` of a training of the recipe; by default that of its default ``output_dir``.
        device: where the network runs.

    Attributes:
        config: the merged config of the recipe.
        names: of the attributes.
        masks: of each part the :class:`~scripts.data.tissue_slices.TissueSliceDataset`.
        codes: of each part, ``(N, K)``.
        model: the network.

    Raises:
        FileNotFoundError: there is no such recipe, or no weights.
        ValueError: the recipe is not of tissue masks, or the weights are of another network.
    """

    def __init__(self, recipe: str, dataset_dir: str = "", weights: str | None = None, device: str = "cpu") -> None:
        path = _recipe_file(str(recipe))
        self.recipe = path.stem
        self._settings: dict[str, Any] = dict(ConfigParser.load_config_file(path))
        self._files = [str(ROOT / file) for file in self._settings.pop("config_file")]
        self._settings |= {"dataset_dir": str(dataset_dir), "bundle_root": str(ROOT), "device": torch.device(device)}
        parser = self._parser()
        self.config = parser.get()
        if "attributes" not in self.config["train"]["dataset"]:
            raise ValueError(
                f"recipe {self.recipe} is not of tissue masks, so it has no attributes. Choose one whose config_file "
                "lists configs/data/tissue_slices.yaml, such as ar_vae."
            )
        self.weights = Path(weights) if weights else ROOT / "eval" / self.recipe / "model.pt"
        network = parser.get_parsed_content("network_def")
        _load(network, self.weights, self.recipe)
        self.model = LatentModel(network, device)
        self.masks: dict[str, TissueSliceDataset] = {part: self._dataset(part) for part in PARTS}
        self.names = self.masks["training"].names
        self.codes = {part: self.model.encode(masks.tissue.classes) for part, masks in self.masks.items()}

    def _parser(self, part: str = "training") -> ConfigParser:
        parser = ConfigParser()
        parser.read_config(self._files)
        parser.update({**self._settings, "train#datalist#part": part})
        return parser

    def _dataset(self, part: str) -> TissueSliceDataset:
        return self._parser(part).get_parsed_content("train#dataset")

    def attributes(self, part: str) -> NDArray[np.float32]:
        """Attributes of the masks of a part, ``(N, L)``, NaN where undefined."""
        return self.masks[part].attributes.numpy()

    @cached_property
    def regularised(self) -> bool:
        """Whether the recipe ties its first latent dimensions to the attributes."""
        return any(REGULARISED in str(term.get("_target_")) for term in self.config["regularisers"])

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

        A mask alone has no slice level: it gets the mean of the ten training masks that it is most alike.
        """
        names = names or self.names
        training = self.masks["training"].tissue
        level = (
            training.level[nearest_masks(masks, training.classes, NEIGHBOURS)[0]].mean(1) if LEVEL in names else None
        )
        return attribute_table(masks, training.spacing_mm, level, names)


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
