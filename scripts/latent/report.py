# SPDX-License-Identifier: Apache-2.0
"""Results of ``python -m scripts latent evaluate``: the files that it writes, and the sections of its page."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ..files.atomic import replacing, write_csv, write_json
from ..pages.page import Section, write_sections
from ..tissue import CRITERIA, UNITS
from .space import LatentSpace
from .validity import Validity

__all__ = ["LatentResults", "corrected_figure", "mask_sections", "slice_sections", "validity_sections"]

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


def mask_sections(results: LatentResults) -> list[Section]:
    """Sections for tissue masks, without those of plausible anatomy."""
    tables, figures, part = results.tables, results.figures, results.space.part
    units = ", ".join(f"{name.replace('_', ' ')} {unit}" for name, unit in UNITS.items() if unit)
    return [
        Section(
            "Attributes",
            "Rank correlation of each attribute with its own latent dimension and with the best of the others, and the "
            "share of steps along the dimension that raise the attribute of the decoded mask. Attributes that are "
            "themselves correlated cannot have dimensions that are not.",
            tables["attributes"],
            {f"Rank correlation of attributes and dimensions, {part} subjects": figures["codes"]},
        ),
        *(
            [Section("The neuron", "The attribute as the linear neuron predicts it from the code.", tables["neuron"])]
            if "neuron" in tables
            else []
        ),
        Section("Measures of disentanglement", f"Over all attributes, {part} subjects; 1 is best.", tables["measures"]),
        Section(
            "Traversals",
            "One slice, one dimension moved from the smallest to the largest training value.",
            None,
            {"Orange: ventricles, grey: grey matter, white: white matter": figures["traversals"]},
        ),
        *_sample_sections(results),
        Section(
            "Samples for an attribute value",
            f"Wanted and measured values. Units: {units}.",
            tables["conditional"],
            {"Each dot is a sample": figures["conditional"]},
        ),
    ]


def corrected_figure(masks: str) -> str:
    """Name of the figure of the corrected masks of a kind."""
    return f"corrected_{masks.replace(' ', '_')}"


def slice_sections(results: LatentResults) -> list[Section]:
    """Sections for T1-weighted slices."""
    tables, figures, part = results.tables, results.figures, results.space.part
    spread = tables["reconstruction"].drop(columns="subject").describe().loc[["mean", "std", "min", "max"]]
    return [
        Section(
            "Reconstructions",
            f"PSNR of the {part} subjects, and the divergence from the prior in bits for each pixel.",
            spread.reset_index(names=""),
            {"Slices of held-out subjects, decoded from their codes, and the difference": figures["reconstructions"]},
        ),
        Section(
            "Interpolation",
            "From a slice of one held-out subject to that of another.",
            None,
            {"Decoded codes on a straight line": figures["interpolation"]},
        ),
        *_sample_sections(results),
        Section("Dimensions", "Divergence from the prior in nats, and whether the mean varies.", tables["dimensions"]),
    ]


def _sample_sections(results: LatentResults) -> list[Section]:
    table, part = results.tables["samples"], results.space.part
    return [
        Section(
            "Samples",
            "Median log-density in the Parzen window, and median difference from the nearest training image: of masks "
            "the share of the brain, of slices the root of the mean square. The row "
            f"{part} is real images of unseen subjects, the one below it their reconstructions, which are as smooth as "
            "samples: samples well below these would be copies.",
            table.groupby("source")[["log_density", "difference"]].median().reset_index(),
            {
                "From the prior, from the Parzen window, half way between two held-out subjects, and what rejection "
                "sampling kept": results.figures["samples"]
            },
        ),
        Section(
            "Rejection sampling",
            "Share of proposals that are kept, for each way to take the bound. Exact drawing needs none.",
            results.tables["rejection"],
        ),
    ]


def validity_sections(results: LatentResults, validity: Validity) -> list[Section]:
    """Sections on plausible anatomy."""
    tables = results.tables
    table = tables["validity"]
    rates = table[[name for name in table if not name.startswith(tuple(CRITERIA))]]
    criteria = pd.DataFrame(
        {
            "criterion": [name.replace("_", " ") for name in CRITERIA],
            "meaning": [criterion.meaning for criterion in CRITERIA.values()],
            **{row["masks"]: [row[f"{name}_before"] for name in CRITERIA] for _, row in table.iterrows()},
        }
    )
    sections = [
        Section(
            "Plausible anatomy",
            "Share of the masks that meet all twelve criteria at their level, with bounds learned from the training "
            "subjects' labels, before and after correction. Corrected are the implausible ones: towards the nearest "
            "plausible code of the bank; distance is how far the code moved. Damaged segmentations are labels with a "
            "hole, pieces outside, ventricles cut open or a bite; of the decoded mask they take only what makes them "
            "plausible. Dice is against the undamaged labels.",
            rates,
            {
                f"Implausible masks and what became of them: {name}": results.figures[corrected_figure(name)]
                for name in validity.shown
            },
        ),
        Section("Criteria", "Share of the masks, before correction, that meet each criterion.", criteria),
    ]
    if "smallest_area" in tables:
        sections.append(
            Section(
                "Slices without ventricles",
                "Rank correlation of the ventricle area with its dimension over the slices that show at least so much "
                "brain, and the largest that the ties of slices without ventricles leave possible.",
                tables["smallest_area"],
            )
        )
    return sections
