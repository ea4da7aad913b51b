# SPDX-License-Identifier: Apache-2.0
"""The whole benchmark on a tiny cohort: real trainings of one epoch, tables, page and document."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path

import monai.bundle
import pandas as pd
import pytest
from matplotlib.figure import Figure

from scripts.recipes.recipe import find_recipes
from scripts.studies.benchmark.__main__ import benchmark
from scripts.studies.benchmark.cells import Cell, make_cells
from scripts.studies.benchmark.record import CellRecord
from scripts.studies.benchmark.report import KEPT
from scripts.studies.benchmark.results import budget
from tests.helpers.tiny_cohort import write_tiny_cohort

ROOT = Path(__file__).resolve().parents[3]
RECIPES = "factorial_skip_cae_mse,factorial_skip_cae_dssim"
SETTINGS = {
    "max_epochs": 1, "batch_size": 4, "kinds": ["mixed", "holes", "clean"], "severities": [1, 3],
    "rows": ["network", "input", "median", "biharmonic"], "device": "cpu", "amp": False, "cache_dir": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    """One head for training, one for validation, three for the test."""
    folder = write_tiny_cohort(tmp_path_factory.mktemp("benchmark") / "cohort")
    content = json.loads((folder / "dataset.json").read_text())
    content["test"] += content["training"][1:]
    content["training"] = content["training"][:1]
    (folder / "dataset.json").write_text(json.dumps(content))
    return folder


def plan(cohort: Path, output: Path, recipes: str = RECIPES, seeds: tuple[int, ...] = (0, 1)) -> list[Cell]:
    return make_cells(find_recipes(recipes), seeds, str(cohort), output, SETTINGS)


def do(cell: Cell) -> None:
    """Run the commands of a cell in this process, which spares the start of an interpreter for each."""
    record = CellRecord(cell)
    for step in cell.steps:
        record.begin(step, {"device": "cpu", "machine": "a machine", "threads": 2, "commit": "abc", "versions": "v"})
        monai.bundle.run(run_id=step.name, logging_file=False, **step.arguments)
        record.end(step, 1.5, finished=True)


@pytest.fixture(scope="module")
def output(cohort) -> Path:
    """Folder of a benchmark whose cells are done, with tables and page."""
    folder = cohort.parent / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        for cell in plan(cohort, folder):
            do(cell)
        report(cohort, folder)
    return folder


def report(cohort: Path, folder: Path, **override) -> None:
    benchmark("report", RECIPES, str(cohort), str(folder), (0, 1), **SETTINGS | override)


def visible(page: str) -> str:
    return re.sub(r"data:image/png;base64,[^\"]+", "picture", page)


def test_tables_have_a_row_for_each_model_pair_and_comparison(output):
    summary, statistics, claims, runs = (
        pd.read_csv(output / f"{name}.csv") for name in ("summary", "statistics", "claims", "runs")
    )
    models = {"factorial_skip_cae_mse", "factorial_skip_cae_dssim"}
    assert set(summary["model"]) == models | {"input", "median", "biharmonic"}
    here = summary[(summary["corruption"] == "mixed") & (summary["region"] == "head") & (summary["metric"] == "psnr")]
    here = here.set_index(["model", "severity"])
    for model in models:
        row = here.loc[model, 0]  # the kind as a whole: the mean over its severities
        assert row["mean"] == pytest.approx((here.loc[model, 1]["mean"] + here.loc[model, 3]["mean"]) / 2, rel=1e-4)
        assert (row["n"], row["seeds"]) == (3, 2)
        assert row["seed_sd"] > 0
    assert here.loc["input", 3]["seeds"] == 0
    pairs = statistics[statistics["design"].isna()]
    keys = ["a", "b", "corruption", "severity", "region", "metric"]
    assert not pairs.duplicated(keys).any()
    everywhere = pairs[(pairs["corruption"] == "holes") & (pairs["region"] == "head") & (pairs["metric"] == "dssim")]
    assert len(everywhere) == 3 * math.comb(5, 2)  # severities 1, 3 and both
    assert set(claims["verdict"]) == {"cannot tell"}  # two seeds
    assert len(runs) == 5
    trained = runs.dropna(subset="seed")
    assert set(trained["epochs"]) == {1}
    assert set(trained["full_epochs"]) == {50}
    assert (trained["slices_per_second"] > 0).all()
    assert not runs["old_code"].any()


def test_summary_is_that_of_the_cells(output):
    cells = [
        pd.read_csv(output / "cells" / "factorial_skip_cae_mse" / f"seed_{seed}" / "metrics.csv") for seed in (0, 1)
    ]
    assert set(cells[0]["method"]) == {"network"}
    rows = pd.concat(cells)
    rows = rows[(rows["corruption"] == "holes") & (rows["severity"] == 3) & (rows["region"] == "hole")]
    of_subjects = rows.groupby("subject")["psnr"].mean()
    summary = pd.read_csv(output / "summary.csv").set_index(
        ["model", "corruption", "severity", "region", "metric"]
    )  # fmt: skip
    found = summary.loc["factorial_skip_cae_mse", "holes", 3, "hole", "psnr"]
    assert found["mean"] == pytest.approx(of_subjects.mean(), rel=1e-4)
    assert found["subject_sd"] == pytest.approx(of_subjects.std(), rel=1e-4)


def test_page_is_self_contained_and_begins_with_the_budget(output):
    page = (output / "report.html").read_text()
    shown = visible(page)
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    body = re.sub(r"<[^>]+>", "", shown[shown.index("<body>") :]).strip()
    assert body.startswith("Reduced budget: 1 of the recipes&#39; 50 epochs, 2 of at least 3 seeds.")
    for text in (
        "With so few", "Which network for which damage", "input as it is", "3 x 3 median", "holes, inside the holes",
        "Trained with DSSIM, a network keeps structure better", "Cannot tell", "split hash", "abc", "a machine",
        "--output_dir OUT/cells/factorial_skip_cae_mse/seed_0 --batch_size 4", "worst case",
    ):  # fmt: skip
        assert text in shown, text
    assert shown.count("picture") >= 6
    assert str(output) not in shown
    assert str(output.parent / "cohort") not in shown
    assert " nan" not in shown


def test_every_table_of_figures_has_the_input_and_a_classical_filter(output):
    shown = visible((output / "report.html").read_text())
    tables = [table for table in re.findall(r"<table.*?</table>", shown, re.DOTALL) if "PSNR (dB)" in table]
    assert tables
    for table in tables:
        assert "input as it is" in table
        assert "3 x 3 median" in table


def test_document_says_the_same_and_keeps_what_was_written_by_hand(output, cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scripts.data.demo.cohort.ensure_demo_cohort", lambda: cohort)
    monkeypatch.setattr("scripts.studies.benchmark.report.rate_distortion", lambda _: Figure())
    page = tmp_path / "docs" / "results.md"
    page.parent.mkdir()
    page.write_text("# Shipped weights\n\nBy hand.\n")
    benchmark("document", output_dir=str(output), page=str(page))
    text = page.read_text()
    assert text.startswith("**Reduced budget: 1 of the recipes' 50 epochs")
    assert text.endswith(f"{KEPT}\n\n# Shipped weights\n\nBy hand.\n")
    summary = pd.read_csv(output / "summary.csv").set_index(["model", "corruption", "severity", "region", "metric"])
    row = summary.loc["input", "holes", 0, "head", "psnr"]
    assert f"{row['mean']:.1f} [{row['ci_low']:.1f}, {row['ci_high']:.1f}]" in text
    files = re.findall(r"\]\((figures/[^)]+)\)", text)
    assert len(files) == 7
    assert all((page.parent / file).stat().st_size > 100 for file in files)
    assert (
        "python -m scripts.studies.benchmark --recipes factorial_skip_cae_mse,factorial_skip_cae_dssim --seeds 0,1"
        in text
    )
    assert str(tmp_path) not in text
    benchmark("document", output_dir=str(output), page=str(page))
    assert page.read_text() == text  # and again


def test_a_cell_is_repeated_to_the_last_digit(output, cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    cell = next(cell for cell in plan(cohort, tmp_path) if cell.name == "factorial_skip_cae_dssim, seed 1")
    do(cell)
    first = output / "cells" / "factorial_skip_cae_dssim" / "seed_1"
    assert (cell.folder / "metrics.csv").read_bytes() == (first / "metrics.csv").read_bytes()
    other = output / "cells" / "factorial_skip_cae_dssim" / "seed_0"
    assert (other / "metrics.csv").read_bytes() != (first / "metrics.csv").read_bytes()


def test_missing_cells_are_named(output, cohort, monkeypatch, tmp_path):
    folder = shutil.copytree(output, tmp_path / "out")
    record = folder / "cells" / "factorial_skip_cae_mse" / "seed_1" / "cell.json"
    record.write_text(record.read_text().replace('"finished": true', '"finished": false'))
    pictures = {"curves": None, "matrices": [], "examples": []}
    monkeypatch.setattr("scripts.studies.benchmark.report._pictures", lambda *_: pictures)
    report(cohort, folder)
    shown = visible((folder / "report.html").read_text())
    assert "1 of 5 cells missing" in shown
    assert "Missing: factorial_skip_cae_mse, seed 1" in shown


def test_networks_are_not_shown_without_their_baselines(output, cohort, tmp_path):
    folder = shutil.copytree(output, tmp_path / "out")
    (folder / "cells" / "baselines_unit_range" / "metrics.csv").unlink()
    with pytest.raises(ValueError, match=r"no network of the 5 cells in .* is evaluated beside its baselines"):
        report(cohort, folder)


def test_recipes_with_other_slices_have_baselines_of_their_own(cohort, tmp_path):
    cells = plan(cohort, tmp_path, "factorial_skip_cae_mse,thesis_skip_cae_mse,thesis_skip_cae_dssim", (0,))
    assert [cell.name for cell in cells] == [
        "baselines (unit_range slices)", "baselines (thesis slices)", "factorial_skip_cae_mse, seed 0",
        "thesis_skip_cae_mse, seed 0", "thesis_skip_cae_dssim, seed 0",
    ]  # fmt: skip
    assert len({cell.folder for cell in cells}) == 5
    thesis = make_cells(find_recipes("thesis_skip_cae_dssim"), (0,), str(cohort), tmp_path, SETTINGS)
    assert thesis[0].steps[0].fingerprint == cells[1].steps[0].fingerprint  # whichever recipe comes first


def test_a_recipe_can_have_seeds_of_its_own(cohort, tmp_path):
    cells = plan(cohort, tmp_path, "factorial_skip_cae_mse,factorial_skip_cae_dssim@1", (0, 2))
    assert [(cell.model, cell.seed) for cell in cells[1:]] == [
        ("factorial_skip_cae_mse", 0), ("factorial_skip_cae_mse", 2), ("factorial_skip_cae_dssim", 1)
    ]  # fmt: skip
    said = "Reduced budget: 1 of the recipes' 50 epochs, one of 6 slices of each head, 1 to 2 of at least 3 seeds."
    assert budget(cells, cells, every_nth_slice=6) == said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "rum"}, "the task must be one of run, report, document, got 'rum'"),
        ({"recipes": "factorail_*"}, "did you mean factorial_"),
        ({"seeds": "a"}, r"--seeds must be whole numbers, at least 0, got 'a'\. Example: --seeds 0"),
        ({"threads": 0}, "--threads must be whole numbers, at least 1, got 0"),
        ({"task": "document"}, "holds no benchmark: run python -m scripts.studies.benchmark"),
        ({"task": "report"}, "no network of the 5 cells in .* is evaluated beside its baselines yet"),
        ({"dataset_dir": "nowhere"}, r"dataset\.json does not exist"),
        ({"kinds": ["hole"]}, "kind of damage 'hole' is unknown: did you mean holes"),
        ({"max_epoch": 3}, "unknown key 'max_epoch': did you mean max_epochs"),
    ],
)
def test_wrong_arguments_are_refused(cohort, tmp_path, arguments, message):
    settings = {"recipes": RECIPES, "dataset_dir": str(cohort), "output_dir": str(tmp_path / "out"), "seeds": (0, 1)}
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        benchmark(**{"task": "run", **settings, **arguments})


def test_slices_of_two_kinds_under_one_name_are_refused(cohort, tmp_path):
    recipe = tmp_path / "other.yaml"
    files = "configs/train.yaml, configs/evaluate.yaml, configs/data/unit_range.yaml"
    recipe.write_text(f"recipe: other\nplane: axial\nconfig_file: [{files}]\n")
    with pytest.raises(ValueError, match="other and factorial_skip_cae_mse see different slices"):
        plan(cohort, tmp_path, f"factorial_skip_cae_mse,{recipe}")


@pytest.mark.slow
def test_help_documents_every_argument():
    done = subprocess.run(
        [sys.executable, "-m", "scripts.studies.benchmark", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for argument in ("--recipes", "--seeds", "--keep_old_code", "Additional flags"):
        assert argument in done.stderr + done.stdout


@pytest.mark.slow
def test_command_line_trains_keeps_and_reports(cohort, tmp_path):
    command = [
        sys.executable, "-W", "ignore", "-m", "scripts.studies.benchmark", "--recipes", "factorial_skip_cae_mse",
        "--seeds", "0,1", "--dataset_dir", str(cohort), "--output_dir", str(tmp_path), "--max_epochs", "1",
        "--kinds", "['mixed','clean']", "--severities", "[3]", "--batch_size", "4", "--device", "cpu",
        "--cache_dir", "",
    ]  # fmt: skip
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "[3 of 3]" in first.stderr
    metrics = tmp_path / "cells" / "factorial_skip_cae_mse" / "seed_0" / "metrics.csv"
    before = metrics.read_bytes(), metrics.stat().st_mtime_ns
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert again.stderr.count("kept") == 3
    assert (metrics.read_bytes(), metrics.stat().st_mtime_ns) == before
    record = json.loads((metrics.parent / "cell.json").read_text())
    assert record["training"]["threads"] == 1
    # the command of one cell, as the report shows it, gives the same to the last digit
    shown = pd.read_csv(tmp_path / "runs.csv").set_index("seed").loc[0, "commands"]
    text = shown.replace("DATA", str(cohort)).replace("OUT", str(tmp_path / "again")).replace("python", sys.executable)
    subprocess.run(["bash", "-ec", text], cwd=ROOT, capture_output=True, check=True)
    repeated = tmp_path / "again" / metrics.relative_to(tmp_path)
    assert repeated.read_bytes() == before[0]


@pytest.mark.slow
def test_a_failing_cell_makes_the_exit_status_non_zero(cohort, tmp_path):
    command = [
        sys.executable, "-W", "ignore", "-m", "scripts.studies.benchmark", "--recipes", "factorial_skip_cae_mse",
        "--seeds", "0", "--dataset_dir", str(cohort), "--output_dir", str(tmp_path), "--max_epochs", "1",
        "--kinds", "['clean']",
        "--batch_size", "4", "--device", "cpu", "--learning_rate", "-1.0", "--cache_dir", "",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "factorial_skip_cae_mse, seed 0 failed: training ended with status 1" in done.stdout
    assert "error: 1 of 2 cells failed; the same command tries them again." in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "cells" / "baselines_unit_range" / "metrics.csv").is_file()
