# SPDX-License-Identifier: Apache-2.0
"""Cells as processes: what is kept, what goes on, what is done again, and what happens when one fails."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

import pytest

from scripts.studies.benchmark.cells import Cell, Step
from scripts.studies.benchmark.record import CellRecord
from scripts.studies.benchmark.running import _progress, run_cells

FINGERPRINT = {"code": "1", "config": "1", "data": "1"}
WRITE = "import sys; open(sys.argv[1], 'a').write(sys.argv[2])"


@dataclasses.dataclass(frozen=True)
class Script(Step):
    """A step that runs a Python text instead of the bundle runner; ``arguments`` are its words."""

    def command(self) -> list[str]:
        return ["-c", *self.arguments.values()]


def make_cell(
    folder: Path, name: str = "net", train: str = WRITE, evaluate: str = WRITE, prints: dict = FINGERPRINT
) -> Cell:
    cell_folder = folder / name
    texts = {"training": (train, "model.pt"), "evaluating": (evaluate, "metrics.csv")}
    steps = tuple(
        Script(step, {"text": text, "file": str(cell_folder / file), "word": step}, prints, cell_folder / file)
        for step, (text, file) in texts.items()
    )
    return Cell(name, 0, "default", cell_folder, {"max_epochs": 3}, 3, steps)


def run(*cells: Cell, **options) -> dict[str, str]:
    return run_cells(cells, {"commit": "abc"}, **{"jobs": 2, "threads": 1} | options)


def test_a_cell_that_is_done_is_not_run_again(tmp_path, capfd):
    cell = make_cell(tmp_path)
    assert run(cell) == {}
    assert run(cell) == {}
    assert (tmp_path / "net" / "model.pt").read_text() == "training"  # written once
    assert "[1 of 1] net, seed 0: kept" in capfd.readouterr().err
    entry = json.loads((tmp_path / "net" / "cell.json").read_text())["training"]
    assert entry["finished"]
    assert entry["commit"] == "abc"
    assert entry["seconds"] >= 0


@pytest.mark.parametrize("changed", ["config", "data", "code"])
def test_another_config_data_or_code_is_done_anew(tmp_path, changed):
    run(make_cell(tmp_path))
    (tmp_path / "net" / "left_over").touch()
    run(make_cell(tmp_path, prints=FINGERPRINT | {changed: "2"}))
    assert (tmp_path / "net" / "model.pt").read_text() == "training"  # by a new file, not added to the old one
    assert not (tmp_path / "net" / "left_over").exists()


def test_old_code_can_be_accepted_but_not_another_config(tmp_path):
    run(make_cell(tmp_path))
    newer = make_cell(tmp_path, prints=FINGERPRINT | {"code": "2"})
    assert all(CellRecord(newer, keep_old_code=True).is_done(step) for step in newer.steps)
    assert not any(CellRecord(newer).is_done(step) for step in newer.steps)
    other = make_cell(tmp_path, prints=FINGERPRINT | {"config": "2"})
    assert not any(CellRecord(other, keep_old_code=True).is_done(step) for step in other.steps)


@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_file_that_is_not_as_it_was_is_made_again(tmp_path, damage):
    cell = make_cell(tmp_path)
    run(cell)
    metrics = cell.steps[1].result
    metrics.write_text("eval") if damage == "truncated" else metrics.unlink()
    run(cell)
    assert metrics.read_text().endswith("evaluating")
    assert cell.steps[0].result.read_text() == "training"  # of which nothing was lost


def test_new_weights_are_evaluated_again(tmp_path):
    cell = make_cell(tmp_path)
    run(cell)
    cell.steps[0].result.write_text("other weights")
    record = CellRecord(cell)
    assert not any(record.is_done(step) for step in cell.steps)


def test_a_failing_cell_ends_with_its_log_and_the_others_are_done(tmp_path):
    bad = make_cell(tmp_path, "bad", train="import sys; sys.exit('error: no such thing')")
    good = make_cell(tmp_path, "good")
    failures = run(bad, good, jobs=1)
    assert list(failures) == ["bad, seed 0"]
    assert "training ended with status 1" in failures["bad, seed 0"]
    assert "error: no such thing" in failures["bad, seed 0"]
    assert good.steps[1].result.is_file()
    assert run(make_cell(tmp_path, "bad"), good) == {}  # the same cell, mended


def test_a_step_that_ends_well_without_its_file_has_failed(tmp_path):
    failures = run(make_cell(tmp_path, train="pass"))
    assert "training ended without" in failures["net, seed 0"]


def test_an_interrupted_training_goes_on_from_its_checkpoint(tmp_path):
    interrupted = "import sys, pathlib; pathlib.Path(sys.argv[1]).with_name('checkpoint.pt').touch(); sys.exit(3)"
    cell = make_cell(tmp_path, train=interrupted)
    assert run(cell)
    assert CellRecord(cell).can_resume(cell.steps[0])
    going_on = "import sys; assert sys.argv[3:] == ['--resume', 'True']; open(sys.argv[1], 'w').write('rest')"
    assert run(make_cell(tmp_path, train=going_on)) == {}
    changed = make_cell(tmp_path, prints=FINGERPRINT | {"data": "2"})
    assert not CellRecord(changed).can_resume(changed.steps[0])


def test_a_broken_record_is_no_record(tmp_path):
    cell = make_cell(tmp_path)
    run(cell)
    (tmp_path / "net" / "cell.json").write_text("{")
    assert not any(CellRecord(cell).is_done(step) for step in cell.steps)


def test_cells_run_side_by_side_with_so_many_threads(tmp_path):
    text = (
        "import os, sys, time; t = time.time(); time.sleep(0.6);"
        "open(sys.argv[1], 'w').write(f'{t} {time.time()} {os.environ[\"OMP_NUM_THREADS\"]}')"
    )
    cells = [make_cell(tmp_path, name, train=text) for name in ("a", "b")]
    run(*cells, jobs=2, threads=3)
    (start, end, threads), (other_start, other_end, _) = (
        map(float, cell.steps[0].result.read_text().split()) for cell in cells
    )
    assert max(start, other_start) < min(end, other_end)
    assert threads == 3


def test_an_interruption_ends_the_commands(tmp_path, monkeypatch):
    cell = make_cell(tmp_path, train="import sys, time; open(sys.argv[1] + '.began', 'w'); time.sleep(60)")
    began = tmp_path / "net" / "model.pt.began"

    def interrupt(*_: object) -> None:
        while not began.exists():
            time.sleep(0.05)
        raise KeyboardInterrupt

    monkeypatch.setattr("scripts.studies.benchmark.running.wait", interrupt)
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        run(cell)
    assert time.perf_counter() - start < 30
    assert not json.loads((tmp_path / "net" / "cell.json").read_text())["training"]["finished"]


def test_epochs_are_counted_while_a_cell_is_trained(tmp_path):
    cell = make_cell(tmp_path)
    assert _progress((cell, "training")) == "net, seed 0: epoch 0 of 3"
    cell.folder.mkdir()
    (cell.folder / "history.csv").write_text("epoch,seconds\n1,2\n2,2\n")
    assert _progress((cell, "training")) == "net, seed 0: epoch 2 of 3"
    assert _progress((cell, "evaluating")) == "net, seed 0: evaluating"


def test_commands_are_shown_without_the_places_of_this_machine():
    step = Step(
        "training",
        {"config_file": ["a.yaml", "b.yaml"], "dataset_dir": "/data/x", "output_dir": "/data/x/out", "cache_dir": "/c"},
        FINGERPRINT,
        Path("model.pt"),
    )
    assert step.shown({"/data/x": "DATA", "/data/x/out": "OUT", "": "EMPTY"}) == (
        "python -m monai.bundle run training --config_file \"['a.yaml', 'b.yaml']\" --dataset_dir DATA --output_dir OUT"
    )
    assert "--cache_dir" in step.command()
    assert sys.executable not in step.command()
