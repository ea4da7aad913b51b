# SPDX-License-Identifier: Apache-2.0
"""What a MONAI user types works from any folder, or ends with one line that says what is wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch
import yaml

from bundle import build as builder
from tests.helpers.monai_user import Answer, monai_calls
from tests.helpers.tiny_cohort import write_tiny_cohort
from tests.helpers.volume_files import write_nifti

ROOT = Path(__file__).resolve().parents[1]
NAME = "brain_mri_autoencoder"
SHIPPED = ROOT / "bundle" / NAME / "model.pt"
TRAIN = [
    "run",
    "training",
    "--config_file",
    str(ROOT / "configs/train.yaml"),
    "--dataset_dir",
    "cohort",
    "--cache_dir",
    "",
]
BRIEF = ["--batch_size", "4", "--max_epochs", "1", "--device", "cpu", "--num_workers", "1", "--amp", "off"]
INFER = [
    "run",
    "inference",
    "--config_file",
    str(ROOT / "configs/inference.yaml"),
    "--dataset_dir",
    "in",
    "--output_dir",
    "no",
]

LOAD = f"""
import json, monai.bundle, sys
network = monai.bundle.load(name="{NAME}", bundle_dir="dist", device="cpu")
workflow = monai.bundle.create_workflow(
    config_file="dist/{NAME}/configs/inference.json", workflow_type="infer", dataset_dir="in", output_dir="created")
import torch
shipped = torch.load("dist/{NAME}/models/model.pt", weights_only=True)
equal = [torch.equal(value, shipped[name]) for name, value in network.state_dict().items()]
print(json.dumps([type(workflow.network_def).__name__, len(equal), all(equal), len(workflow.dataset)]))
"""
OBJECTS = f"""
from pathlib import Path
import torch
from monai.bundle import ConfigWorkflow
from monai.networks.nets import UNet
workflow = ConfigWorkflow(
    "{ROOT}/configs/train.yaml", workflow_type="train", dataset_dir=Path("cohort"), output_dir=Path("objects"),
    device=torch.device("cpu"), max_epochs=1, batch_size=4, cache_dir="", amp=False)
workflow.initialize()
workflow.network_def = UNet(2, 1, 1, (4, 8), (2,))
workflow.initialize()
workflow.run()
"""

WORKS = {
    "checkout": [*TRAIN, *BRIEF, "--output_dir", "checkout"],
    "bundle": [
        "run",
        "training",
        "--config_file",
        f"dist/{NAME}/configs/train.json",
        *TRAIN[4:],
        *BRIEF,
        "--output_dir",
        "bundle",
    ],
    "load": ["-c", LOAD],
    "objects": ["-c", OBJECTS],
    "words": [*TRAIN, *BRIEF, "--output_dir", "words", "--resume", "no", "--compile", "off", "--fast", "false"],
}
FAILS = {
    ("--device", "gpu"): "error: device 'gpu' is unknown: give cpu, cuda or cuda:0.",
    ("--device", "cuda:99"): "error: device 'cuda:99' cannot be used: this machine has cpu",
    ("--batch_size", "4.5"): "error: batch_size must be a whole number, got 4.5.",
    ("--batch_size", "many"): "error: batch_size must be a whole number, got 'many'.",
    ("--max_epochs", "0"): "error: max_epochs must be at least 1, got 0.",
    ("--learning_rate", "-1"): "error: learning_rate must be at least 0, got -1.",
    ("--plane", "sagital"): "error: plane 'sagital' is unknown: choose one of sagittal, coronal, axial.",
    ("--resume", "maybe"): "error: resume is 'maybe': give true or false.",
    ("--max_epoch", "3"): "error: unknown key 'max_epoch': did you mean max_epochs?",
    ("--train#trainer#max_epoch", "3"): "error: unknown key 'train#trainer#max_epoch': did you mean max_epochs?",
    ("--train#datalsit", "3"): "error: unknown key 'train#datalsit': did you mean datalist?",
    ("--weights", str(SHIPPED)): f"error: weights {SHIPPED} are for evaluating; training would start from random ones.",
    ("--freeze", "encodr*"): "error: freeze: no layer is called 'encodr*'; the outermost are down1,",
    (
        "--output_dir",
        "full",
    ): "error: output_dir full has a training already (model.pt): give another one, --resume true",
}
FAILS_ELSEWHERE = {
    "run train": (["run", "train", *TRAIN[2:]], "error: run train: did you mean training?"),
    "run infer": (["run", "infer", *INFER[2:]], "error: run infer: did you mean inference?"),
    "restore on gpu": ([*INFER, "--device", "gpu"], "error: device 'gpu' is unknown: give cpu, cuda or cuda:0."),
    "restore on cuda": (
        [*INFER, "--device", "cuda:99"],
        "error: device 'cuda:99' cannot be used: this machine has cpu",
    ),
    "restore sagital": ([*INFER, "--plane", "sagital"], "error: plane 'sagital' is unknown: choose one of sagittal"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[object, Answer]:
    folder = tmp_path_factory.mktemp("elsewhere")
    write_tiny_cohort(folder / "cohort")
    write_nifti(folder / "in" / "x.nii")
    builder.build(NAME, output_dir=str(folder / "dist"))
    (folder / "full").mkdir()
    (folder / "full" / "model.pt").touch()
    failing = {pair: [*TRAIN, *BRIEF, "--output_dir", "no", *pair] for pair in FAILS}
    calls = {**WORKS, **failing, **{name: words for name, (words, _) in FAILS_ELSEWHERE.items()}}
    found = monai_calls(list(calls.values()), folder)
    return {"folder": folder, **dict(zip(calls, found, strict=True))}  # type: ignore[dict-item]


@pytest.mark.parametrize("name", ["checkout", "bundle", "words", "objects"])
def test_training_runs_from_any_folder(answers, name):
    assert answers[name].status == 0, answers[name].err[-2000:]
    assert (answers["folder"] / name / "model.pt").is_file()


def test_a_bundle_is_loaded_with_its_weights(answers):
    assert answers["load"].status == 0, answers["load"].err[-2000:]
    assert json.loads(answers["load"].out.splitlines()[-1]) == ["ResidualUNet", len(torch.load(SHIPPED)), True, 1]


def test_booleans_are_those_of_yaml(answers):
    saved = yaml.safe_load((answers["folder"] / "words" / "config.yaml").read_text())
    assert [saved[key] for key in ("amp", "resume", "compile", "fast")] == [False] * 4


def test_objects_of_python_are_saved_as_what_they_are(answers):
    saved = yaml.safe_load((answers["folder"] / "objects" / "config.yaml").read_text())
    assert saved["dataset_dir"] == "cohort"
    assert saved["device"] == "$torch.device('cpu')"
    assert saved["network_def"].startswith("object of Python: UNet(\n  (model): Sequential(")
    state = torch.load(answers["folder"] / "objects" / "model.pt", weights_only=True)
    assert all(name.startswith("model.") for name in state)


def test_the_log_of_tensorboard_has_the_numbers_of_the_table(answers):
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    folder = answers["folder"] / "checkout"
    events = event_accumulator.EventAccumulator(str(folder)).Reload()
    (row,) = csv.DictReader((folder / "history.csv").open())
    names = row.keys() - {"epoch"}
    assert {"train_loss", "learning_rate", "val_loss"} <= names == set(events.Tags()["scalars"])
    for name in names:
        assert [point.value for point in events.Scalars(name)] == pytest.approx([float(row[name])], rel=1e-6)


@pytest.mark.parametrize("pair", FAILS, ids=" ".join)
def test_a_wrong_value_is_one_line(answers, pair):
    assert answers[pair].status == 1
    assert answers[pair].error.startswith(FAILS[pair]), answers[pair].err[-2000:]


@pytest.mark.parametrize("name", FAILS_ELSEWHERE)
def test_a_wrong_word_is_one_line(answers, name):
    assert answers[name].status == 1
    assert answers[name].error.startswith(FAILS_ELSEWHERE[name][1]), answers[name].err[-2000:]
    assert not (answers["folder"] / "no" / "model.pt").exists()
