# SPDX-License-Identifier: Apache-2.0
"""One training that two implementations do alike."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import Tensor

from ...networks.latent import VariationalAutoencoder
from ...recipes.recipe import Recipe, known_recipes, merged_config

__all__ = ["PeerTask"]

RECIPE = "vae"


@dataclass(frozen=True)
class PeerTask:
    """The recipe vae with a weight of the KL divergence, a budget and a seed.

    The learning rate is constant: a schedule that is stepped with each batch, as the recipe's is, pythae does not have.

    Attributes:
        dataset_dir: folder of ``dataset.json``.
        folder: of what is made.
        beta: weight of the KL divergence.
        seed: of weights, order and samples.
        max_epochs: of the training.
        device: such as "cpu".
        values: further top-level values of the config.
    """

    dataset_dir: str
    folder: Path
    beta: float
    seed: int
    max_epochs: int
    device: str
    values: Mapping[str, Any]

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What is set over the recipe."""
        return {
            **self.values,
            "dataset_dir": self.dataset_dir,
            "seed": self.seed,
            "max_epochs": self.max_epochs,
            "early_stopping_patience": self.max_epochs,
            "regularisers#0#weight": float(self.beta),
            "lr_scheduler": {
                "_target_": "torch.optim.lr_scheduler.ConstantLR",
                "optimizer": "@optimizer",
                "factor": 1.0,
            },
            "device": f"$torch.device('{self.device}')",
        }

    @property
    def recipe(self) -> Recipe:
        """The recipe without settings."""
        return known_recipes()[RECIPE]

    @cached_property
    def config(self) -> dict[str, Any]:
        """The merged config."""
        return merged_config(self.recipe, self.settings)

    def network(self) -> VariationalAutoencoder:
        """The recipe's network with fresh weights."""
        torch.manual_seed(self.seed)
        return ConfigParser(deepcopy(self.config)).get_parsed_content("network_def")

    def slices(self, part: str) -> tuple[Tensor, list[str]]:
        """Slices ``(N, 1, H, W)`` of a part, in [0, 1], and the subject of each."""
        parser = ConfigParser(deepcopy(self.config))
        parser["train"]["datalist"]["part"] = part
        parser["device"] = "$torch.device('cpu')"
        dataset = parser.get_parsed_content("train#dataset")
        return dataset.images.float(), [item["subject"] for item in dataset.data for _ in item["slices"]]
