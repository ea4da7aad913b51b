# SPDX-License-Identifier: Apache-2.0
"""What ``python -m scripts.latent evaluate`` collects and writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ..data.cohort import write_json
from ..replacing import replacing
from ..reports.latent_report import Section, write_latent_report
from .space import LatentSpace

__all__ = ["Results"]


@dataclass
class Results:
    """Tables, each written when it is added, and what becomes summary.json and report.html.

    Attributes:
        space: what was measured.
        folder: of all files.
        seed: of everything random.
        tables: by the names of their files.
        figures: for the sections.
        sections: of the report.
    """

    space: LatentSpace
    folder: Path
    seed: int
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)

    def add(self, name: str, table: pd.DataFrame) -> None:
        """Keep a table and write ``<name>.csv``."""
        self.tables[name] = table
        with replacing(self.folder / f"{name}.csv") as partial:
            table.to_csv(partial, index=False)

    def write(self) -> None:
        """Write summary.json, the figures as PNG and report.html."""
        for name, figure in self.figures.items():
            with replacing(self.folder / f"{name}.png") as partial:
                figure.savefig(partial, dpi=130)
        summary = self.summary()
        write_json(self.folder / "summary.json", summary)
        title = f"The latent space of {self.space.recipe}"
        write_latent_report(title, self._facts(summary), self.sections, self.folder / "report.html")

    def summary(self) -> dict[str, Any]:
        """What the tables say in a few numbers."""
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
