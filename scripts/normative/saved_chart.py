# SPDX-License-Identifier: Apache-2.0
"""A chart on disk: the measures of its heads as a table, and the settings that made them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ..files.atomic import write_csv, write_json
from .measures import Measure

__all__ = ["SavedChart"]

TABLE, SETTINGS = "measures.csv", "normative.json"


@dataclass(frozen=True)
class SavedChart:
    """Heads and settings from which a chart is made.

    Attributes:
        heads: table with a row per head: ``subject``, ``part``, ``age``, ``sex`` and the measures.
        measures: unit and scale of each measure.
        knots: number of knots.
        sites: sites where the heads were scanned.
        dataset_dir: folder of the cohort.
        recipe: name of the recipe of the codes; empty if there are none.
        weights: path of the recipe's weights.
    """

    heads: pd.DataFrame
    measures: dict[str, Measure]
    knots: int
    sites: tuple[str, ...]
    dataset_dir: str
    recipe: str = ""
    weights: str = ""

    @property
    def note(self) -> str:
        """Warning of what the chart must not be taken for."""
        people = self.heads["subject"].nunique()
        where = f"site {self.sites[0]}" if len(self.sites) == 1 else f"{len(self.sites)} sites"
        where = where if self.sites else "unknown sites"
        return f"Example of {people} people, {where}. No reference for anyone else, and not for diagnosis."

    def save(self, folder: Path) -> None:
        """Write the table and the settings."""
        write_csv(folder / TABLE, self.heads)
        settings = {name: value for name, value in vars(self).items() if name != "heads"}
        measures = {name: measure._asdict() for name, measure in self.measures.items()}
        write_json(folder / SETTINGS, {"note": self.note, **settings, "measures": measures})

    @classmethod
    def load(cls, folder: Path) -> SavedChart:
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: there is no chart.
            ValueError: its files are damaged.
        """
        for name in (TABLE, SETTINGS):
            if not (folder / name).is_file():
                raise FileNotFoundError(
                    f"{folder} has no {name}: learn a chart with python -m scripts chart learn --dataset_dir DATA "
                    f"--output_dir {folder}."
                )
        try:
            settings: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
            settings.pop("note")
            settings["measures"] = {name: Measure(**fields) for name, fields in settings["measures"].items()}
            settings["sites"] = tuple(settings["sites"])
            heads = pd.read_csv(folder / TABLE, dtype={"subject": str, "part": str, "sex": str})
            heads[["age", *settings["measures"]]].astype(float)
            return cls(heads=heads, **settings)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"the chart in {folder} is damaged ({error}). Learn it again.") from error
