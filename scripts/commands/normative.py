# SPDX-License-Identifier: Apache-2.0
"""A normative chart of brains against age and sex: ``python -m scripts chart learn|place``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fire
import pandas as pd
from matplotlib.figure import Figure

from ..data.cohort import load_cohort, load_datalist
from ..data.split import PARTS
from ..files.atomic import replacing
from ..files.errors import clean_exit
from ..normative.calibration import calibration_table, held_out_percentiles
from ..normative.chart import NormativeChart
from ..normative.figure import chart_figure
from ..normative.measures import MEASURES, CodeMeans, measure_heads
from ..normative.saved_chart import SavedChart

__all__ = ["learn", "place"]


@clean_exit()
def learn(
    dataset_dir: str = "",
    output_dir: str = "eval/normative",
    recipe: str = "ar_vae",
    weights: str = "",
    knots: int = 3,
    folds: int = 10,
    seed: int = 0,
) -> None:
    """Learn a chart from the heads of a cohort whose age and sex are known, and test its percentiles.

    Writes measures.csv (each head), percentiles.csv (each head, on charts of other subjects), calibration.csv (are
    these uniform?), normative.json and chart.png.

    Args:
        dataset_dir: folder of dataset.json (python -m scripts prepare), with region labels, age and sex.
        output_dir: folder of the chart.
        recipe: whose latent codes are part of the chart, if weights are given; one with reg/attributes.
        weights: model.pt of a training of the recipe; empty: a chart without codes.
        knots: of the curves against age; 2 for straight lines.
        folds: charts by which held-out heads are placed.
        seed: of the folds.
    """
    items = [{**item, "part": part} for part in _parts(dataset_dir) for item in load_datalist(dataset_dir, part)]
    known = [item for item in items if item.get("age") is not None and item.get("sex")]
    if not known:
        raise ValueError(
            f"none of the {len(items)} heads has an age and a sex in dataset.json. Prepare the cohort with a table of "
            "its subjects (python -m scripts prepare --help)."
        )
    coder = CodeMeans(recipe, str(weights)) if weights else None
    saved = SavedChart(
        heads=_measured(known, coder),
        measures=MEASURES | (coder.measures if coder else {}),
        knots=knots,
        sites=tuple(sorted({str(item["site"]) for item in known if item.get("site")})),
        dataset_dir=str(dataset_dir),
        recipe=str(recipe) if coder else "",
        weights=str(weights),
    )
    chart = NormativeChart(saved.heads, saved.measures, knots)
    percentiles, explained = held_out_percentiles(saved.heads, saved.measures, knots, folds, seed)
    calibration = calibration_table(percentiles, saved.measures, explained)
    folder = Path(output_dir)
    saved.save(folder)
    _write(percentiles.round(4), folder / "percentiles.csv")
    _write(calibration.round(4), folder / "calibration.csv")
    _save(chart_figure(chart, saved.note), folder / "chart.png")
    over_all = calibration[calibration["group"] == "all"].drop(columns="group").round(3)
    _say(f"{len(known)} heads; {len(items) - len(known)} without age or sex were left out. {saved.note}")
    _say(f"held-out heads, {folds} folds:\n{over_all.to_string(index=False)}")
    _say(f"smallest corrected p-value of all {len(calibration)} tests: {calibration['p_holm'].min():.3f}")
    _say(f"wrote the chart into {folder}")


@clean_exit()
def place(
    label: str = "",
    subject: str = "",
    age: float | None = None,
    sex: str = "",
    dataset_dir: str = "",
    chart_dir: str = "eval/normative",
    output_dir: str = "eval/placed",
) -> None:
    """Place a head on a chart: a file of region labels, or a subject of a cohort.

    A subject whom the chart was learned from is left out of it first. Writes placed.csv (value, median and 5th to 95th
    percentile for its age and sex, and its percentile, of each measure) and placed.png (the head on the chart).

    Args:
        label: file of region labels (MUSE), such as DLMUSE writes.
        subject: instead, the name of a subject of the cohort.
        age: years; of a subject, that in dataset.json by default.
        sex: F or M; of a subject, that in dataset.json by default.
        dataset_dir: folder of the subject's dataset.json; by default the one that the chart was learned from.
        chart_dir: folder that "learn" wrote.
        output_dir: folder of the results.
    """
    if bool(label) == bool(str(subject)):
        raise ValueError("give one of --label FILE and --subject NAME.")
    saved = SavedChart.load(Path(chart_dir))
    item = _subject(str(subject), str(dataset_dir) or saved.dataset_dir) if str(subject) else _labelled(str(label))
    age, sex = _known("age", age, item), _known("sex", sex or None, item)
    if not isinstance(age, int | float) or isinstance(age, bool):
        raise ValueError(f"--age must be a number of years, got {age!r}.")
    others = saved.heads[saved.heads["subject"] != item["subject"]] if str(subject) else saved.heads
    chart = NormativeChart(others, saved.measures, saved.knots)
    chart.check(age, sex)
    coder = CodeMeans(saved.recipe, saved.weights) if saved.recipe else None
    values = _measured([item], coder).iloc[0][list(saved.measures)].to_dict()
    placed = chart.place(age, sex, values)
    folder = Path(output_dir)
    _write(placed.round(4), folder / "placed.csv")
    _save(chart_figure(chart, saved.note, (age, sex, values)), folder / "placed.png")
    left_out = len(saved.heads) - len(others)
    _say(placed.drop(columns=["unit", "heads"]).round(3).to_string(index=False))
    _say(f"among {len(others)} heads" + (f", without the {left_out} of this subject" if left_out else ""))
    _say(f"{saved.note}\nwrote placed.csv and placed.png into {folder}")


def _parts(dataset_dir: str) -> list[str]:
    cohort = load_cohort(dataset_dir)
    return [part for part in PARTS if cohort[part]]


def _measured(items: list[dict[str, Any]], coder: CodeMeans | None) -> pd.DataFrame:
    """What is known of heads, and all their measures."""
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
        raise FileNotFoundError(f"the label file {file} does not exist. Give a volume of region labels with --label.")
    return {"subject": Path(file).name, "label": file}


def _known(name: str, given: Any, item: Mapping[str, Any]) -> Any:
    value = item.get(name) if given is None else given
    if value is None:
        raise ValueError(f"the {name} of {item['subject']} is not known: give --{name}.")
    return value


def _write(table: pd.DataFrame, path: Path) -> None:
    with replacing(path) as partial:
        table.to_csv(partial, index=False)


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as partial:
        figure.savefig(partial, dpi=110)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    logging.getLogger("monai").setLevel(logging.ERROR)
    fire.Fire({"learn": learn, "place": place})
