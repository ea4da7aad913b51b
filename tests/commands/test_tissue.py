# SPDX-License-Identifier: Apache-2.0
"""The commands, from end to end on toy heads."""

from __future__ import annotations

import json
from inspect import signature
from pathlib import Path

import pytest

from scripts.__main__ import main
from scripts.commands.tissue import learn_consistency, learn_criteria
from scripts.tissue import CRITERIA
from scripts.tissue.bounds import TAIL_PERCENT
from scripts.tissue.slices import SPACING_MM
from scripts.tissue.through_plane.thresholds import FALSE_ALARM_PERCENT
from tests.helpers.toy_brain import write_toy_cohort


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("consistency")
    cohort = write_toy_cohort(folder / "cohort", count=30)
    arguments = {"path": str(folder / "consistency.json"), "dataset_dir": str(cohort)}
    learn_consistency(**arguments)
    return arguments


def test_learn_says_what_from(arguments: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["tissue", "consistency", "learn", arguments["dataset_dir"], str(tmp_path / "new.json")]) == 0
    assert "thresholds from 150 slices of 5 heads" in capsys.readouterr().out
    assert (tmp_path / "new.json").read_bytes() == Path(arguments["path"]).read_bytes()


def test_criteria_are_learned_and_checked(
    arguments: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    places = [arguments["dataset_dir"], str(tmp_path / "criteria.json")]
    assert main(["tissue", "criteria", "learn", *places, "--tail_percent", "1"]) == 0
    assert "bounds from 150 slices of 5 heads" in capsys.readouterr().out
    assert json.loads((tmp_path / "criteria.json").read_text())["learned_from"]["tail_percent"] == 1
    assert main(["tissue", "criteria", "check", *places, "--part", "training"]) == 0
    printed = capsys.readouterr().out
    assert "training: 150 slices of 5 heads" in printed
    assert all(f"  {name} " in printed for name in (*CRITERIA, "all, worst head", "all, level not given"))
    assert main(["tissue", "criteria", "check", places[0], str(tmp_path / "missing.json")]) == 1
    assert "missing.json" in capsys.readouterr().err


def test_defaults_are_those_of_the_library():
    assert signature(learn_criteria).parameters["spacing_mm"].default == SPACING_MM[0]
    assert signature(learn_consistency).parameters["spacing_mm"].default == SPACING_MM[0]
    assert signature(learn_criteria).parameters["tail_percent"].default == TAIL_PERCENT
    assert signature(learn_consistency).parameters["false_alarm_percent"].default == FALSE_ALARM_PERCENT
