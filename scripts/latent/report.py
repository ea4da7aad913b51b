# SPDX-License-Identifier: Apache-2.0
"""Results of ``python -m scripts latent evaluate``: the files that it writes, and the sections of its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from matplotlib.figure import Figure

from ..files.atomic import replacing, write_csv, write_json
from ..pages.page import Section, write_sections
from ..tissue import CRITERIA, UNITS
from .space import LatentSpace

__all__ = ["LatentResults", "page_sections"]

SECTIONS = Path(__file__).with_name("sections.yaml")

NOTE = "Research use, not for diagnosis. Decoded and sampled images are inventions of the network."


@dataclass
class LatentResults:
    """Tables and figures of an evaluation, written to its folder as they are added, with summary.json and report.html.

    Attributes:
        space: latent space that was measured.
        folder: folder of all files.
        seed: seed of everything random.
        tables: tables by the names of their files.
        figures: figures of the sections, by name.
        sections: sections of the page.
    """

    space: LatentSpace
    folder: Path
    seed: int
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)

    def add(self, name: str, table: pd.DataFrame) -> None:
        """Add a table, and write it as ``<name>.csv``."""
        self.tables[name] = table
        write_csv(self.folder / f"{name}.csv", table)

    def write(self) -> None:
        """Write summary.json, the figures as PNG and report.html."""
        for name, figure in self.figures.items():
            with replacing(self.folder / f"{name}.png") as partial:
                figure.savefig(partial, dpi=130)
        summary = self.summary()
        write_json(self.folder / "summary.json", summary)
        title = f"The latent space of {self.space.recipe}"
        write_sections(title, NOTE, self._facts(summary), self.sections, self.folder / "report.html")

    def main_table(self) -> pd.DataFrame:
        """The table that says most: of the attributes, or of the reconstructions where there are none."""
        return self.tables["attributes" if "attributes" in self.tables else "reconstruction"]

    def summary(self) -> dict[str, Any]:
        """Summary of the tables in a few numbers."""
        space, dimensions = self.space, self.tables["dimensions"]
        reconstruction = self.tables["reconstruction"]
        if "dice" in reconstruction:
            quality = {"dice": reconstruction.groupby("class")["dice"].mean().round(4).to_dict()}
        else:
            quality = reconstruction.drop(columns="subject").mean().round(5).dropna().to_dict()
        differences = self.tables["samples"].groupby("source")["difference"].median()
        measures = self.tables.get("measures", pd.DataFrame(columns=["measure", "value"]))
        return {
            "recipe": space.recipe,
            "weights": str(space.weights),
            "seed": self.seed,
            "part": space.part,
            "subjects": {part: len(set(subject.tolist())) for part, subject in space.subject.items()},
            "slices": {part: len(images) for part, images in space.images.items()},
            "kl_nats": float(dimensions["kl"].sum()) if "kl" in dimensions else None,
            "active_units": int(dimensions["active"].sum()),
            "latent_size": len(dimensions),
            "bandwidth": space.window.bandwidth,
            **quality,
            "difference_from_nearest_training_image": differences.round(4).to_dict(),
            **dict(zip(measures["measure"], measures["value"], strict=True)),
        }

    def _facts(self, summary: dict[str, Any]) -> list[str]:
        part = self.space.part
        facts = [
            (
                f"{summary['slices'][part]} slices of {summary['subjects'][part]} {part} subjects; training "
                f"codes of {summary['slices']['training']} slices of {summary['subjects']['training']}."
            ),
            f"{summary['active_units']} of {summary['latent_size']} dimensions are active.",
        ]
        if summary["kl_nats"] is not None:
            facts.append(f"KL divergence from the prior: {summary['kl_nats']:.1f} nats.")
        if "dice" in summary:
            dice = ", ".join(f"{name} {value:.3f}" for name, value in summary["dice"].items())
            facts.append(f"Dice of the reconstructions, mean over subjects: {dice}.")
        else:
            facts.append(
                f"PSNR of the reconstructions, mean over subjects: {summary['psnr_head']:.1f} dB inside the head, "
                f"{summary['psnr_whole']:.1f} dB of whole slices."
            )
        return facts


def page_sections(results: LatentResults, kind: str) -> list[Section]:
    """The sections of ``sections.yaml`` that there are tables or figures for.

    Args:
        results: tables and figures of the evaluation.
        kind: ``masks`` or ``slices``.
    """
    units = ", ".join(f"{name.replace('_', ' ')} {unit}" for name, unit in UNITS.items() if unit)
    tables = results.tables | _shortened(results.tables)
    sections = []
    for entry in yaml.safe_load(SECTIONS.read_text(encoding="utf-8"))[kind]:
        figures = {
            caption.format(part=results.space.part, name=_rest(name, start)): figure
            for start, caption in entry.get("figures", {}).items()
            for name, figure in results.figures.items()
            if name == start or name.startswith(f"{start}_")
        }
        table = tables.get(entry.get("table"))
        if figures or table is not None:
            text = entry["text"].format(part=results.space.part, units=units)
            sections.append(Section(entry["title"], text, table, figures))
    return sections


def _shortened(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """What the page shows of the tables that are too long for it."""
    shown = {"samples": tables["samples"].groupby("source")[["log_density", "difference"]].median().reset_index()}
    if "validity" in tables:
        table = tables["validity"]
        shown["validity"] = table[[name for name in table if not name.startswith(tuple(CRITERIA))]]
        shares = {row["masks"]: [row[f"{name}_before"] for name in CRITERIA] for _, row in table.iterrows()}
        meanings = {name.replace("_", " "): criterion.meaning for name, criterion in CRITERIA.items()}
        shown["criteria"] = pd.DataFrame({"criterion": meanings.keys(), "meaning": meanings.values(), **shares})
    else:
        spread = tables["reconstruction"].drop(columns="subject").describe().loc[["mean", "std", "min", "max"]]
        shown["reconstruction"] = spread.reset_index(names="")
    return shown


def _rest(name: str, start: str) -> str:
    """``damaged segmentation`` of the name ``corrected_damaged_segmentation``."""
    return name.removeprefix(start).replace("_", " ").strip()
