# SPDX-License-Identifier: Apache-2.0
"""Every fragment keeps to its slot; every recipe composes and takes a step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "configs"
SLOTS = {
    "net": {"network_def"},
    "loss": {"reconstruction_loss"},
    "reg": {"+regularisers", "+validate"},
    "corruption": {"corruption"},
    "data": {"dataset_dir", "plane", "volume_transforms", "spatial_dims", "+imports", "train", "validate"},
    "schedule": {
        "max_epochs",
        "learning_rate",
        "amp",
        "optimizer",
        "lr_scheduler",
        "lr_schedule_handler",
        "early_stopping_patience",
        "early_stopping_min_delta",
    },
    "hw": {
        "rank",
        "world_size",
        "device",
        "network",
        "amp",
        "num_workers",
        "+imports",
        "+initialize",
        "finalize",
        "validate",
        "+validate",
    },
}
FRAGMENTS = sorted(path for slot in SLOTS for path in (CONFIGS / slot).glob("*.yaml"))
RECIPES = sorted((CONFIGS / "recipe").glob("*.yaml"))
NEEDS_LABELS = {
    "configs/data/tissue_slices.yaml",
    "configs/data/image_mask_slices.yaml",
    "configs/data/heads_brain_mask.yaml",
    "configs/data/heads_anomalies.yaml",
}
SMALL_HEADS = {"train#dataset#repeats": 1, "train#dataset#depth": 16, "validate#dataset#depth": 16}
KNOWN_RECIPES = {p.stem for p in RECIPES if p.stem.startswith("thesis_")}


def load(path: Path) -> dict:
    return ConfigParser.load_config_file(path)


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [s for v in value.values() for s in strings(v)]
    if isinstance(value, list):
        return [s for v in value for s in strings(v)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_fragment_sets_only_keys_of_its_slot(path):
    top_level = {key.split("#")[0] for key in load(path)}
    assert top_level <= SLOTS[path.parent.name]
    known = set(load(CONFIGS / "train.yaml")) | {"finalize"}
    assert {key.lstrip("+") for key in top_level} <= known


@pytest.mark.parametrize(
    "path", [*CONFIGS.glob("*.yaml"), *FRAGMENTS, *RECIPES], ids=lambda p: f"{p.parent.name}/{p.stem}"
)
def test_no_number_is_read_as_text(path):
    assert [s for s in strings(load(path)) if re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", s)] == []


def test_the_thesis_has_eighteen_recipes():
    assert len(KNOWN_RECIPES) == 18


def compose(path: Path, output_dir: Path, dataset_dir: Path, **override: object) -> ConfigWorkflow:
    recipe = load(path)
    files = [str(ROOT / file) for file in recipe.pop("config_file")]
    settings = recipe | {
        "bundle_root": str(ROOT),
        "dataset_dir": str(dataset_dir),
        "output_dir": str(output_dir),
        "cache_dir": "",
        "device": "$torch.device('cpu')",
    }
    return ConfigWorkflow(
        config_file=files, workflow_type="train", logging_file=False, run_id="training", **settings | override
    )


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_recipe_composes_and_takes_a_step(path, tiny_cohort, labelled_cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert load(path)["recipe"] == path.stem
    cohort = labelled_cohort if NEEDS_LABELS & set(load(path)["config_file"]) else tiny_cohort
    heads = "/heads_" in str(load(path)["config_file"])
    small = SMALL_HEADS if heads else {}
    workflow = compose(path, tmp_path, cohort, max_epochs=1, batch_size=4, amp=False, **small)
    workflow.initialize()
    workflow.run()
    history = (tmp_path / "history.csv").read_text().splitlines()
    assert len(history) == 2
    row = dict(zip(history[0].split(","), map(float, history[1].split(",")), strict=True))
    largest = 1e6 if "active_units" in row else 5 if heads else 1.5  # sums over pixels, in nats; tens of decibels
    assert 0 < row["train_loss"] < largest
    assert 0 < row["val_loss"] < 10 * largest
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert all(torch.isfinite(v).all() for v in state.values())


def test_thesis_constants_are_kerass(tiny_cohort, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    workflow = compose(CONFIGS / "recipe" / "thesis_residual_unet_dssim.yaml", tmp_path, tiny_cohort, batch_size=4)
    workflow.initialize()
    scheduler = workflow.parser.get_parsed_content("lr_scheduler")
    optimizer = workflow.parser.get_parsed_content("optimizer")
    group = optimizer.param_groups[0]
    assert (group["lr"], group["alpha"], group["eps"], group["momentum"]) == (1e-3, 0.9, 1e-7, 0)
    # Keras: ReduceLROnPlateau(factor=0.2, patience=4, min_delta=2e-5, min_lr=1e-7), written out
    losses = [1.0, 0.9, 0.9, 0.9, 0.89999, 0.9, 0.9, 0.9, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5]
    rate, best, wait, expected = 1e-3, float("inf"), 0, []
    for loss in losses:
        if loss < best - 2e-5:
            best, wait = loss, 0
        else:
            wait += 1
            if wait >= 4:
                rate, wait = max(rate * 0.2, 1e-7), 0
        expected.append(rate)
    measured = []
    for loss in losses:
        scheduler.step(loss)
        measured.append(group["lr"])
    assert measured == pytest.approx(expected)
    early_stop = workflow.parser.get_parsed_content("early_stop")
    assert (early_stop.patience, early_stop.min_delta) == (20, 5e-5)
