# SPDX-License-Identifier: Apache-2.0
"""Training through the bundle runner: properties, exact resuming, several processes, clear errors."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ignite.engine import Events
from monai.bundle import ConfigWorkflow

from tests.helpers.user_errors import user_error

ROOT = Path(__file__).resolve().parents[1]
TRAIN = str(ROOT / "configs" / "train.yaml")


@pytest.fixture(autouse=True)
def _in_the_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def workflow(tiny_cohort: Path, output_dir: Path, *files: str, **override: object) -> ConfigWorkflow:
    settings = {
        "bundle_root": str(ROOT),
        "dataset_dir": str(tiny_cohort),
        "output_dir": str(output_dir),
        "cache_dir": "",
        "batch_size": 4,
        "max_epochs": 4,
        "device": "$torch.device('cpu')",
        "amp": False,
    }
    return ConfigWorkflow([TRAIN, *files], workflow_type="train", logging_file=False, **settings | override)


def train(*args: object, **kwargs: object) -> ConfigWorkflow:
    made = workflow(*args, **kwargs)
    made.initialize()
    made.run()
    return made


def test_all_properties_of_a_training_bundle_are_there(tiny_cohort, tmp_path):
    made = workflow(tiny_cohort, tmp_path)
    made.initialize()
    assert made.check_properties() == []


def test_writes_weights_curve_checkpoint_config_and_events(tiny_cohort, tmp_path):
    train(tiny_cohort, tmp_path, max_epochs=2)
    names = {p.name for p in tmp_path.iterdir()}
    assert {"model.pt", "checkpoint.pt", "history.csv", "config.yaml"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    rows = list(csv.DictReader((tmp_path / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert "max_epochs: 2" in (tmp_path / "config.yaml").read_text()


@pytest.mark.parametrize("net", ["residual_unet", "myronenko_cae"])  # Myronenko's has a dropout of its own
def test_interrupted_and_resumed_ends_with_the_same_weights(tiny_cohort, tmp_path, net):
    fragment = str(ROOT / "configs" / "net" / f"{net}.yaml")
    train(tiny_cohort, tmp_path / "whole", fragment)
    interrupted = workflow(tiny_cohort, tmp_path / "parts", fragment)
    interrupted.initialize()
    trainer = interrupted.parser.get_parsed_content("train#trainer")

    def interrupt() -> None:
        if trainer.state.epoch == 3:  # in the middle of the third epoch, after two checkpoints
            raise KeyboardInterrupt

    trainer.add_event_handler(Events.ITERATION_COMPLETED, interrupt)
    with pytest.raises(KeyboardInterrupt):
        interrupted.run()
    train(tiny_cohort, tmp_path / "parts", fragment, resume=True)
    for name in ("model.pt", "checkpoint.pt"):
        whole, parts = (torch.load(tmp_path / run / name, weights_only=True) for run in ("whole", "parts"))
        whole, parts = (state.get("network", state) for state in (whole, parts))
        assert all(torch.equal(whole[key], parts[key]) for key in whole)
    columns = ("epoch", "train_loss", "val_loss", "learning_rate")
    histories = [list(csv.DictReader((tmp_path / run / "history.csv").open())) for run in ("whole", "parts")]
    assert [[row[c] for c in columns] for row in histories[0]] == [[row[c] for c in columns] for row in histories[1]]


def test_validation_every_second_epoch_is_recorded_where_it_was_done(tiny_cohort, tmp_path):
    schedule = str(ROOT / "configs" / "schedule" / "thesis.yaml")
    train(tiny_cohort, tmp_path, schedule, max_epochs=3, val_interval=2)
    rows = list(csv.DictReader((tmp_path / "history.csv").open(encoding="utf-8")))
    assert [bool(row["val_loss"]) for row in rows] == [False, True, False]


def test_same_weights_for_any_number_of_readers(tiny_cohort, tmp_path):
    states = []
    for workers in (1, 3):
        train(tiny_cohort, tmp_path / str(workers), num_workers=workers, max_epochs=1)
        states.append(torch.load(tmp_path / str(workers) / "model.pt", weights_only=True))
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_a_finished_run_is_not_trained_further(tiny_cohort, tmp_path):
    train(tiny_cohort, tmp_path, max_epochs=3, early_stopping_patience=1, early_stopping_min_delta=10.0)
    rows = len((tmp_path / "history.csv").read_text().splitlines())
    assert rows == 1 + 2  # stopped after the second epoch: nothing improves by 10
    train(tiny_cohort, tmp_path, max_epochs=3, early_stopping_patience=1, early_stopping_min_delta=10.0, resume=True)
    assert len((tmp_path / "history.csv").read_text().splitlines()) == rows


def test_mistyped_key_names_the_nearest(tiny_cohort, tmp_path):
    with user_error(ValueError, "unknown key 'max_epoch': did you mean max_epochs"):
        workflow(tiny_cohort, tmp_path, max_epoch=9).initialize()


def test_booleans_are_those_of_yaml(tiny_cohort, tmp_path):
    run = workflow(tiny_cohort, tmp_path, amp="false", fast="Off", resume="no", compile="FALSE")
    run.initialize()
    assert not any(run.parser.get_parsed_content(key) for key in ("amp", "fast", "resume", "compile"))
    with user_error(ValueError, "resume is 'maybe': give true or false."):
        workflow(tiny_cohort, tmp_path, resume="maybe").initialize()


def test_mistyped_key_of_a_fragment_names_the_nearest(tiny_cohort, tmp_path):
    fragment = tmp_path / "fragment.yaml"
    fragment.write_text("netwrok_def: {_target_: scripts.networks.SkipCAE}\n")
    with user_error(ValueError, "unknown key 'netwrok_def': did you mean network_def"):
        workflow(tiny_cohort, tmp_path / "out", str(fragment)).initialize()


def test_wrong_folder_is_one_line_on_the_command_line(tmp_path):
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "monai.bundle",
        "run",
        "training",
        "--config_file",
        "configs/train.yaml",
    ]
    command += ["--dataset_dir", str(tmp_path / "nowhere"), "--output_dir", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "error:" in done.stderr
    assert "python -m scripts prepare" in done.stderr


def test_resume_without_a_checkpoint_is_one_line(tiny_cohort, tmp_path):
    made = workflow(tiny_cohort, tmp_path, resume=True)
    made.initialize()
    with user_error(FileNotFoundError, "resume needs"):
        made.run()
