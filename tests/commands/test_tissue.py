# SPDX-License-Identifier: Apache-2.0
"""The commands, from end to end on toy heads."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.commands.through_plane import learn
from tests.helpers.toy_brain import write_toy_cohort


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("consistency")
    cohort = write_toy_cohort(folder / "cohort", count=30)
    arguments = {"path": str(folder / "consistency.json"), "dataset_dir": str(cohort)}
    learn(**arguments)
    return arguments


def test_learn_says_what_from(arguments: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    learn(str(tmp_path / "new.json"), arguments["dataset_dir"])
    assert "thresholds from 150 slices of 5 heads" in capsys.readouterr().out
    assert (tmp_path / "new.json").read_bytes() == Path(arguments["path"]).read_bytes()
