# SPDX-License-Identifier: Apache-2.0
"""Training through the bundle runner: properties, exact resuming, several processes, clear errors."""

from __future__ import annotations

import csv
import re
import shutil
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
    assert [bool(row["val_loss"]) for row in rows] == [False, True, True]  # and after the last


def test_a_training_shorter_than_the_interval_is_validated(tiny_cohort, tmp_path):
    train(tiny_cohort, tmp_path, max_epochs=1, val_interval=5)
    assert (tmp_path / "model.pt").is_file()
    minutes = str(ROOT / "configs" / "schedule" / "minutes.yaml")
    train(tiny_cohort, tmp_path / "timed", minutes, val_interval=10**6, **{"lr_scheduler#minutes": 1e-3})
    assert (tmp_path / "timed" / "model.pt").is_file()


def test_same_weights_for_any_number_of_readers(tiny_cohort, tmp_path):
    states = []
    for workers in (1, 3):
        train(tiny_cohort, tmp_path / str(workers), num_workers=workers, max_epochs=1)
        states.append(torch.load(tmp_path / str(workers) / "model.pt", weights_only=True))
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def rates(folder: Path) -> list[float]:
    return [float(row["learning_rate"]) for row in csv.DictReader((folder / "history.csv").open(encoding="utf-8"))]


def test_a_training_that_stopped_early_goes_on_with_more_patience(tiny_cohort, tmp_path, caplog):
    stops = {"max_epochs": 3, "early_stopping_patience": 1, "early_stopping_min_delta": 10.0}
    train(tiny_cohort, tmp_path, **stops)
    saved = (tmp_path / "config.yaml").read_text()
    assert len(rates(tmp_path)) == 2  # stopped after the second epoch: nothing improves by 10
    train(tiny_cohort, tmp_path, **stops, resume=True)
    assert len(rates(tmp_path)) == 2
    assert "has ended: val_loss has not fallen in 1 validations: give a larger early_stopping_patience" in caplog.text
    assert (tmp_path / "config.yaml").read_text() == saved
    train(tiny_cohort, tmp_path, **stops | {"early_stopping_patience": 3}, resume=True)
    assert len(rates(tmp_path)) == 3
    assert "early_stopping_patience: 3" in (tmp_path / "config.yaml").read_text()


def half_a_cycle(max_lr: float, steps: int) -> float:
    optimizer = torch.optim.SGD([torch.zeros(1)])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr, total_steps=steps, pct_start=0.1)
    for _ in range(steps // 2):
        optimizer.step()
        schedule.step()
    return schedule.get_last_lr()[0]


@pytest.mark.parametrize("schedule", ["one_cycle", "plateau", "minutes"])
def test_a_resumed_training_takes_another_learning_rate(tiny_cohort, tmp_path, schedule):
    files = {"one_cycle": (), "plateau": ("thesis",), "minutes": ("minutes",)}[schedule]
    files = [str(ROOT / "configs" / "schedule" / f"{name}.yaml") for name in files]
    length = {"lr_scheduler#minutes": 1e-3} if schedule == "minutes" else {"max_epochs": 2}
    longer = {"lr_scheduler#minutes": 1.0} if schedule == "minutes" else {"max_epochs": 4}
    train(tiny_cohort, tmp_path, *files, **length, learning_rate=1e-3)
    done = len(rates(tmp_path))
    run = workflow(tiny_cohort, tmp_path, *files, **longer, learning_rate=1e-5, resume=True)
    run.initialize()
    trainer = run.parser.get_parsed_content("train#trainer")
    first: list[float] = []
    trainer.add_event_handler(
        Events.ITERATION_STARTED, lambda engine: first.append(engine.optimizer.param_groups[0]["lr"])
    )
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine: engine.terminate())
    run.run()
    assert len(rates(tmp_path)) == done + 1
    if schedule == "minutes":  # its time is nearly all left
        assert first[0] <= 1e-5
    else:
        assert first[0] == pytest.approx(half_a_cycle(1e-5, steps=8) if schedule == "one_cycle" else 1e-5)
    assert "learning_rate: 1.0e-05" in (tmp_path / "config.yaml").read_text()


def test_a_resumed_training_may_be_longer(tiny_cohort, tmp_path):
    train(tiny_cohort, tmp_path / "two", max_epochs=2)
    train(tiny_cohort, tmp_path / "two", max_epochs=4, resume=True)
    train(tiny_cohort, tmp_path / "four", max_epochs=4)
    two, four = (rates(tmp_path / name) for name in ("two", "four"))
    assert two[2:] == pytest.approx(four[2:])  # as if it had been longer from the beginning
    assert two[1] != pytest.approx(four[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 3}, "seed cannot be changed in a training that is resumed: .* has 0, not 3"),
        ({"batch_size": 2}, "batch_size cannot be changed"),
        ({"network_def": {"_target_": "scripts.networks.SkipCAE"}}, "network_def cannot be changed"),
        ({"optimizer#_target_": "torch.optim.SGD", "optimizer#fused": False}, "optimizer cannot be changed"),
        ({"max_epochs": 1}, "max_epochs is 1, but .* has 2 epochs"),
        ({"learning_rate": 0}, "learning_rate can be changed from one number to another only, not from 0.002 to 0"),
        ({"overwrite": True}, "resume and overwrite exclude each other"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_change_in_a_resumed_training_is_refused_by_name(trained, tiny_cohort, tmp_path, change, message):
    shutil.copytree(trained, tmp_path / "run")
    saved = (tmp_path / "run" / "config.yaml").read_text()
    with user_error(ValueError, message):
        train(tiny_cohort, tmp_path / "run", **{"max_epochs": 3, "resume": True} | change)
    assert (tmp_path / "run" / "config.yaml").read_text() == saved


@pytest.fixture(scope="module")
def trained(tiny_cohort, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    train(tiny_cohort, folder, max_epochs=2)
    return folder


def test_a_used_folder_is_kept_unless_it_is_given_free(trained, tiny_cohort, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    with user_error(FileExistsError, "has a training already .* --resume true .* --overwrite true"):
        train(tiny_cohort, tmp_path / "run", max_epochs=1)
    train(tiny_cohort, tmp_path / "run", max_epochs=1, overwrite=True)
    assert len(rates(tmp_path / "run")) == 1
    assert len(list((tmp_path / "run").glob("events*"))) == 1


def test_fine_tuning_starts_at_the_loss_of_its_weights_and_keeps_frozen_layers(trained, tiny_cohort, tmp_path):
    frozen = {"initial_weights": str(trained / "model.pt"), "freeze": ["down*", "stem"]}
    train(tiny_cohort, tmp_path / "still", **frozen, max_epochs=1, learning_rate=1e-12)
    losses = [
        [float(row["val_loss"]) for row in csv.DictReader((folder / "history.csv").open(encoding="utf-8"))]
        for folder in (trained, tmp_path / "still")
    ]
    assert losses[1][0] == pytest.approx(min(losses[0]), rel=1e-2)  # the other layers' statistics have moved
    train(tiny_cohort, tmp_path / "tuned", **frozen, max_epochs=2)
    before, after = (torch.load(path / "model.pt", weights_only=True) for path in (trained, tmp_path / "tuned"))
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {name for name in before if name.startswith(("down", "stem"))}
    assert any("running_var" in name for name in same)


def test_the_handlers_of_the_zoo_see_the_loss(tiny_cohort, tmp_path, capsys):
    run = workflow(tiny_cohort, tmp_path, max_epochs=1)
    loss = {"tag_name": "loss", "output_transform": "$monai.handlers.from_engine(['loss'], first=True)"}
    log = {"log_dir": str(tmp_path / "zoo")}
    run.parser["train"]["handlers"] += [
        {"_target_": "StatsHandler", **loss}, {"_target_": "TensorBoardStatsHandler", **loss, **log},
    ]  # fmt: skip
    run.parser["validate"]["handlers"] += [
        {"_target_": "StatsHandler", "iteration_log": False},
        {"_target_": "TensorBoardStatsHandler", "iteration_log": False, **log},
    ]
    run.initialize()
    run.run()
    shown = capsys.readouterr().out
    (row,) = csv.DictReader((tmp_path / "history.csv").open(encoding="utf-8"))
    losses = [float(text) for text in re.findall(r"Iter: ./2 -- loss: ([\d.]+)", shown)]
    assert sum(losses) / len(losses) == pytest.approx(float(row["train_loss"]), abs=1e-4)
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = event_accumulator.EventAccumulator(str(tmp_path / "zoo")).Reload()
    assert {"loss", "val_loss"} <= set(events.Tags()["scalars"])


def test_mlflow_tracks_losses_and_config(tiny_cohort, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    run = workflow(tiny_cohort, tmp_path, max_epochs=2, tracking="mlflow")
    run.initialize()
    run.run()
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlruns.db'}")
    (found,) = mlflow.search_runs(experiment_names=["monai_experiment"], output_format="list")
    last = list(csv.DictReader((tmp_path / "history.csv").open(encoding="utf-8")))[-1]
    assert found.data.metrics["val_loss"] == pytest.approx(float(last["val_loss"]))
    assert found.data.metrics["train_loss"] > 0
    (kept,) = mlflow.MlflowClient().list_artifacts(found.info.run_id)
    assert kept.path.startswith("config_")


def test_the_bar_of_a_timed_training_shows_minutes(tiny_cohort, tmp_path, capsys):
    minutes = str(ROOT / "configs" / "schedule" / "minutes.yaml")
    train(tiny_cohort, tmp_path, minutes, **{"lr_scheduler#minutes": 1e-3})
    shown = capsys.readouterr().err
    assert "epoch 1, minute 0.0 of 0.001" in shown
    assert "1000000" not in shown


def test_a_key_of_ones_own_is_allowed_where_it_is_used(tiny_cohort, tmp_path):
    (tmp_path / "own.yaml").write_text("my_lr: 5.0e-4\nlearning_rate: '@my_lr'\n")
    run = workflow(tiny_cohort, tmp_path / "out", str(tmp_path / "own.yaml"))
    run.initialize()
    assert run.parser.get_parsed_content("learning_rate") == 5e-4
    (tmp_path / "own.yaml").write_text("my_lr: 5.0e-4\n")
    with user_error(ValueError, "unknown key 'my_lr'"):
        workflow(tiny_cohort, tmp_path / "out", str(tmp_path / "own.yaml")).initialize()


def test_a_config_saved_with_an_object_asks_for_it(tiny_cohort, tmp_path):
    (tmp_path / "saved.yaml").write_text("network_def: 'object of Python: UNet()'\n")
    with user_error(ValueError, r"the config was saved from a run that was given an object of Python: UNet\(\)"):
        workflow(tiny_cohort, tmp_path / "out", str(tmp_path / "saved.yaml")).initialize()


def test_a_dataset_of_ones_own_takes_the_place_of_the_cohort(tiny_cohort, tmp_path):
    run = workflow(tiny_cohort, tmp_path, max_epochs=1)
    run.initialize()
    run.train_dataset = torch.utils.data.Subset(run.train_dataset, range(4))
    run.initialize()
    run.run()
    assert "object of Python: <torch.utils.data.dataset.Subset object>" in (tmp_path / "config.yaml").read_text()


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
