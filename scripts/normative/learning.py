# SPDX-License-Identifier: Apache-2.0
"""Learn a chart from a cohort, and place a head on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..data.cohort import load_cohort, load_datalist
from ..data.split import PARTS
from ..files.atomic import replacing, write_csv
from .calibration import calibration_table, held_out_percentiles
from .chart import NormativeChart, check_sexes
from .figure import chart_figure
from .measures import MEASURES, CodeMeans, measure_heads
from .saved_chart import SavedChart

__all__ = ["LearnedChart", "PlacedHead", "learn_chart", "place_head"]

ALIKE = 1e-4
"""Relative difference up to which the measures of two files are those of one head."""


@dataclass(frozen=True)
class LearnedChart:
    """What was learned, and how well its percentiles hold for heads that it was not learned from.

    Attributes:
        saved: the chart.
        calibration: calibration of the percentiles, see :func:`~scripts.normative.calibration.calibration_table`.
        left_out: number of heads without age or sex.
    """

    saved: SavedChart
    calibration: pd.DataFrame
    left_out: int

    def summary(self) -> str:
        """The heads, the calibration over all of them and its smallest p-value."""
        over_all = self.calibration[self.calibration["group"] == "all"].drop(columns="group").round(3)
        return (
            f"{len(self.saved.heads)} heads; {self.left_out} without age or sex were left out. {self.saved.note}\n"
            f"held-out heads:\n{over_all.to_string(index=False)}\n"
            f"smallest corrected p-value of all {len(self.calibration)} tests: {self.calibration['p_holm'].min():.3f}"
        )


@dataclass(frozen=True)
class PlacedHead:
    """A head on a chart.

    Attributes:
        table: value, median, 5th to 95th percentile and percentile of each measure.
        heads: number of heads that it was placed among.
        left_out: number of its subject's own heads that were left out of the chart.
        note: warning of what the chart must not be taken for.
    """

    table: pd.DataFrame
    heads: int
    left_out: int
    note: str

    def summary(self) -> str:
        """The table, and among whom."""
        shown = self.table.drop(columns=["unit", "heads"]).round(3).to_string(index=False)
        without = f", without the {self.left_out} of this subject" if self.left_out else ""
        return f"{shown}\namong {self.heads} heads{without}\n{self.note}"


def learn_chart(
    dataset_dir: str, output_dir: Path, *, recipe: str = "", weights: str = "", knots: int = 3, folds: int = 10,
    seed: int = 0,
) -> LearnedChart:  # fmt: skip
    """Learn a chart from the heads of a cohort whose age and sex are known, and test its percentiles.

    Writes measures.csv (each head), percentiles.csv (each head, on charts of other subjects), calibration.csv (are
    these uniform?), normative.json and chart.png.

    Args:
        dataset_dir: folder of dataset.json, with region labels, age and sex.
        output_dir: folder of the chart.
        recipe: recipe with reg/attributes whose latent codes are part of the chart, if weights are given.
        weights: model.pt of a training of the recipe; empty: a chart without codes.
        knots: number of knots of the curves; 2 for straight lines.
        folds: number of charts on which held-out heads are placed.
        seed: seed of the folds.

    Raises:
        ValueError: too few heads have an age, a sex and labels, or the recipe is of another kind.
        FileNotFoundError: there are no weights.
    """
    items = [{**item, "part": part} for part in _parts(dataset_dir) for item in load_datalist(dataset_dir, part)]
    known = [item for item in items if item.get("age") is not None and item.get("sex")]
    if not known:
        raise ValueError(
            f"none of the {len(items)} heads has an age and a sex in dataset.json. Prepare the cohort with a table of "
            "its subjects (python -m scripts prepare --help)."
        )
    check_sexes([item["sex"] for item in known])  # before the work
    coder = CodeMeans(recipe, weights) if weights else None
    saved = SavedChart(
        heads=_measured(known, coder),
        measures=MEASURES | (coder.measures if coder else {}),
        knots=knots,
        sites=tuple(sorted({str(item["site"]) for item in known if item.get("site")})),
        dataset_dir=dataset_dir,
        recipe=recipe if coder else "",
        weights=weights,
    )
    chart = NormativeChart(saved.heads, saved.measures, knots)
    percentiles, explained = held_out_percentiles(saved.heads, saved.measures, knots, folds, seed)
    calibration = calibration_table(percentiles, saved.measures, explained)
    saved.save(output_dir)
    write_csv(output_dir / "percentiles.csv", percentiles.round(4))
    write_csv(output_dir / "calibration.csv", calibration.round(4))
    _save(chart_figure(chart, saved.note), output_dir / "chart.png")
    return LearnedChart(saved, calibration, len(items) - len(known))


def place_head(
    chart_dir: Path,
    output_dir: Path,
    *,
    label: str = "",
    subject: str = "",
    age: float | None = None,
    sex: str = "",
    dataset_dir: str = "",
) -> PlacedHead:
    """Place a head on a chart: a file of region labels, or a subject of a cohort.

    A subject from whom the chart was learned is left out of it first; a file of labels is recognised by its measures.
    Writes placed.csv (value, median and 5th to 95th percentile for its age and sex, and its percentile, of each
    measure) and placed.png (the head on the chart).

    Args:
        chart_dir: folder that :func:`learn_chart` wrote.
        output_dir: folder of the results.
        label: file of region labels (MUSE), such as DLMUSE writes.
        subject: name of a subject of the cohort, instead of a file.
        age: age in years; by default that of the subject in dataset.json.
        sex: F or M; by default that of the subject in dataset.json.
        dataset_dir: folder of the subject's dataset.json; by default the one from which the chart was learned.

    Raises:
        ValueError: there is no such subject, its age or sex is unknown, or the chart has none of that age and sex.
        FileNotFoundError: there is no chart, or no label file.
    """
    saved = SavedChart.load(chart_dir)
    item = _subject(subject, dataset_dir or saved.dataset_dir) if subject else _labelled(label)
    years, known_sex = _known("age", age, item), _known("sex", sex or None, item)
    own = saved.heads["subject"] == item["subject"] if subject else pd.Series(False, saved.heads.index)
    chart = NormativeChart(saved.heads[~own], saved.measures, saved.knots)
    chart.check(years, known_sex)
    coder = CodeMeans(saved.recipe, saved.weights) if saved.recipe else None
    values = _measured([item], coder).iloc[0][list(saved.measures)].to_dict()
    if not subject and (own := _measures_alike(saved.heads, values)).any():
        chart = NormativeChart(saved.heads[~own], saved.measures, saved.knots)
        chart.check(years, known_sex)
    placed = chart.place(years, known_sex, values)
    write_csv(output_dir / "placed.csv", placed.round(4))
    _save(chart_figure(chart, saved.note, (years, known_sex, values)), output_dir / "placed.png")
    return PlacedHead(placed, int((~own).sum()), int(own.sum()), saved.note)


def _measures_alike(heads: pd.DataFrame, values: Mapping[str, float]) -> pd.Series[bool]:
    """Which heads have all these measures: a file of labels that the chart was learned from, under whatever name."""
    alike = np.isclose(heads[list(values)].astype(float), [*values.values()], rtol=ALIKE, atol=0, equal_nan=True)
    return pd.Series(alike.all(axis=1), index=heads.index)


def _parts(dataset_dir: str) -> list[str]:
    cohort = load_cohort(dataset_dir)
    return [part for part in PARTS if cohort[part]]


def _measured(items: list[dict[str, Any]], coder: CodeMeans | None) -> pd.DataFrame:
    """Demographics of heads, and all their measures."""
    progress = len(items) > 1
    known = pd.DataFrame([{name: item.get(name) for name in ("part", "age", "sex")} for item in items])
    measures = measure_heads(items, progress)
    codes = [coder(items, progress)] if coder else []
    return pd.concat([measures[["subject"]], known, measures.drop(columns="subject"), *codes], axis=1)


def _subject(name: str, dataset_dir: str) -> dict[str, Any]:
    items = [item for part in _parts(dataset_dir) for item in load_datalist(dataset_dir, part)]
    for item in items:
        if str(item["subject"]) == name:
            return item
    raise ValueError(f"there is no subject {name!r} among the {len(items)} heads of this cohort.")


def _labelled(file: str) -> dict[str, Any]:
    if not Path(file).is_file():
        raise FileNotFoundError(f"the label file {file} does not exist. Give a volume of region labels.")
    return {"subject": Path(file).name, "label": file}


def _known(name: str, given: Any, item: Mapping[str, Any]) -> Any:
    value = item.get(name) if given is None else given
    if value is None:
        raise ValueError(f"the {name} of {item['subject']} is not known: give --{name}.")
    return value


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as partial:
        figure.savefig(partial, dpi=110)
