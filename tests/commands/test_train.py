# SPDX-License-Identifier: Apache-2.0
"""``train`` and ``evaluate``, one after the other as a user types them, in a folder of the user's."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from scripts.__main__ import main

SMALL = ["--max_epochs", "1", "--batch_size=4", "--device", "cpu", "--amp", "false"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_train_and_evaluate(tiny_cohort, here, capsys):
    assert main(["train", str(tiny_cohort), *SMALL, "--optimizer#weight_decay", "1e-3"]) == 0
    assert capsys.readouterr().out == "wrote model.pt, history.csv and config.yaml into eval/residual_unet_mse\n"
    folder = here / "eval" / "residual_unet_mse"
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert (config["recipe"], config["max_epochs"], config["optimizer"]["weight_decay"]) == (
        "residual_unet_mse",
        1,
        1e-3,
    )
    assert len(list(csv.DictReader((folder / "history.csv").open()))) == 1
    before = (folder / "model.pt").read_bytes()
    assert main(["train", str(tiny_cohort), *SMALL]) == 1  # not over a training
    assert main(["train", str(tiny_cohort), *SMALL, "--resume", "--seed", "5"]) == 1  # that is another one
    assert main(["train", "--dataset-dir", str(tiny_cohort), *SMALL, "--resume"]) == 0  # it was done
    assert (folder / "model.pt").read_bytes() == before
    capsys.readouterr()
    rows = ["--rows", "network,input", "--kinds", "[mixed]", "--severities", "3", "--report", "no", "--device", "cpu"]
    assert main(["evaluate", str(tiny_cohort), *rows]) == 0
    assert capsys.readouterr().out.startswith("wrote metrics.csv, summary.csv")
    with (folder / "metrics.csv").open() as file:
        assert {row["method"] for row in csv.DictReader(file)} == {"network", "input"}
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize(
    ("typed", "status", "message"),
    [
        ("train nowhere", 1, "nowhere/dataset.json does not exist"),
        ("train nowhere --max_epoch 3", 2, "unknown key 'max_epoch': did you mean max_epochs?"),
        ("train nowhere --seed x", 2, "--seed must be a whole number, got 'x'"),
        ("train nowhere --batch_size 4.5", 2, "--batch_size must be a whole number, got '4.5'"),
        ("train --recipe residual", 2, "no recipe fits 'residual': did you mean residual_unet_mse?"),
        ("train one two three", 2, "unrecognized arguments: three"),
        ("evaluate nowhere --severity 3", 2, "unknown key 'severity': did you mean severities?"),
        ("evaluate nowhere --part", 2, "--part must be a text, got nothing"),
    ],
)
def test_wrong_arguments_end_with_one_line(typed, status, message, here, capsys):
    assert main(typed.split()) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[-1].startswith("error: ")
    assert message in printed.err.splitlines()[-1]


def test_evaluate_needs_a_training(tiny_cohort, here, capsys):
    assert main(["evaluate", str(tiny_cohort), "--device", "cpu"]) == 1
    assert "eval/residual_unet_mse/model.pt: train first" in capsys.readouterr().err
