# SPDX-License-Identifier: Apache-2.0
"""Keys of a config as text, and workflows from any folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow

from scripts.recipes.recipe import Recipe, find_recipe
from scripts.recipes.workflow import INFERENCE, as_text, recipe_workflow, typed_settings
from tests.helpers.user_errors import user_error
from tests.helpers.volume_files import write_nifti

ROOT = Path(__file__).resolve().parents[2]
RECIPE = "residual_unet_mse"


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return find_recipe(RECIPE)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("max_epochs", "3", 3),
        ("learning_rate", "1e-4", 1e-4),
        ("learning_rate", "1", 1),
        ("resume", None, True),
        ("resume", "Off", False),
        ("report", "false", False),
        ("kinds", "mixed,holes", ["mixed", "holes"]),
        ("kinds", "['mixed']", ["mixed"]),
        ("severities", "3", [3]),
        ("part", "2024", "2024"),
        ("published_weights", "some/folder", "some/folder"),
        ("published_weights", "null", None),
        ("amp", "false", False),
        ("weights", "some.pt", "some.pt"),
        ("weights", "$print(1)", r"$'$print(1)'"),
        ("cache_dir", "a#b", r"$'a\x23b'"),
        ("dataset_dir", "2024", "2024"),
        ("max_epochs", "$2 + 3", "$2 + 3"),
        ("optimizer#weight_decay", "1e-3", 1e-3),
        ("train#trainer#max_epochs", "3", 3),
        ("network_def#channels", "[4, 8]", [4, 8]),  # an argument that the config leaves out
        ("corruption#steps#0#rate", "[0, 0.1]", [0, 0.1]),
        ("loss", "{_target_: torch.nn.L1Loss}", {"_target_": "torch.nn.L1Loss"}),
    ],
)
def test_values_have_the_type_of_what_they_replace(recipe, key, text, value):
    found = typed_settings(recipe, {key: text})
    assert found == {key: value}
    assert type(found[key]) is type(value)


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("max_epoch", "3", r"unknown key 'max_epoch': did you mean max_epochs\?"),
        ("netwrok_def#channels", "3", r"unknown key 'netwrok_def': did you mean network_def\?"),
        ("train#trainr#max_epochs", "3", r"unknown key 'train#trainr#max_epochs': there is no train#trainr\."),
        ("train#datalsit", "3", r"unknown key 'train#datalsit': train has datalist, preprocessing, dataset, "),
        ("corruption#steps#9", "3", r"unknown key 'corruption#steps#9'"),
        ("max_epochs", "4.5", r"--max_epochs must be a whole number, got '4\.5'"),
        ("max_epochs", "true", r"--max_epochs must be a whole number, got 'true'"),
        ("max_epochs", None, r"--max_epochs must be a whole number, got nothing"),
        ("learning_rate", "fast", r"--learning_rate must be a number, got 'fast'"),
        ("resume", "maybe", r"--resume must be true or false, got 'maybe'"),
        ("resume", "1", r"--resume must be true or false, got '1'"),
        ("part", None, r"--part must be a text, got nothing"),
        ("kinds", "[mixed", r"'\[mixed' is no value in YAML"),
    ],
)
def test_keys_and_values_that_do_not_fit_are_refused(recipe, key, text, message):
    with pytest.raises(ValueError, match=message):
        typed_settings(recipe, {key: text})


PLAIN = ["plain", 'it\'s "x" \\\\ y', "ä$", "a@b", "50%"]
PATHS = [*PLAIN, "$print(1)", "@in", "@::in", "%in", "a#b", "$'a\\x23'", "a@::b", "$import os"]


@pytest.mark.parametrize("text", PATHS)
def test_a_path_is_the_text_that_was_typed(text: str):
    config = {"in": 1, "path": as_text(text), "same": "@path", "longer": "$@path + '/x'"}
    parser = ConfigParser(config)
    assert [parser.get_parsed_content(key) for key in ("path", "same", "longer")] == [text, text, f"{text}/x"]
    assert (as_text(text) == text) is (text in PLAIN)


@pytest.mark.parametrize("name", ["$print(1)", "@in", "%in", "a#b", "2024"])
def test_folders_of_a_workflow_are_texts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    write_nifti(tmp_path / name / "x.nii")
    workflow = recipe_workflow(INFERENCE, "inference", {}, name, f"{name}/out")
    assert [item["image"] for item in workflow.parser.get_parsed_content("dataset").data] == [f"{name}/x.nii"]
    assert workflow.parser.get_parsed_content("report").output_dir == Path(name, "out")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2024, r"--dataset_dir 2024 is read as a number or a list: write \./2024\."),
        (["a"], r"--dataset_dir \['a'\] is read as a number or a list"),
        ("$1 / 0", r"--dataset_dir \$1 / 0 is read as an expression: write \./\$1 / 0\."),
        ("@nothing", r"--dataset_dir @nothing is read as an expression"),
        ("a#b", r"--dataset_dir becomes a::b, as MONAI reads # for ::\. Rename the folder"),
    ],
)
def test_folders_that_the_runner_takes_for_something_else(value, message, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("sys.argv", ["monai.bundle", "run", "inference", "--dataset_dir", str(value)])
    workflow = ConfigWorkflow("configs/inference.yaml", run_id="inference", logging_file=False, dataset_dir=value)
    with user_error(ValueError, message):
        workflow.initialize()


def test_a_folder_may_be_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    write_nifti(tmp_path / "x.nii")
    places = {"dataset_dir": tmp_path, "output_dir": tmp_path / "out"}
    workflow = ConfigWorkflow("configs/inference.yaml", run_id="inference", logging_file=False, **places)
    workflow.initialize()
    assert len(workflow.parser.get_parsed_content("dataset")) == 1


def test_a_config_may_name_a_folder_by_an_expression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    write_nifti(tmp_path / "x.nii")
    config = {"dataset_dir": f"$str(pathlib.Path('{tmp_path}'))", "output_dir": str(tmp_path / "out")}
    workflow = ConfigWorkflow("configs/inference.yaml", run_id="inference", logging_file=False, **config)
    workflow.parser["imports"].append("$import pathlib")
    workflow.initialize()
    assert len(workflow.parser.get_parsed_content("dataset")) == 1


def test_keys_are_those_of_the_config_in_question():
    assert typed_settings(INFERENCE, {"spacing_mm": "2"}) == {"spacing_mm": 2}
    with pytest.raises(ValueError, match="unknown key 'max_epochs'"):
        typed_settings(INFERENCE, {"max_epochs": "2"})


def test_one_recipe_is_asked_for():
    with pytest.raises(ValueError, match=r"recipe must be one recipe, got 'thesis_\*', which fits 1"):
        find_recipe("thesis_*")
    with pytest.raises(ValueError, match=r"no recipe fits 'residual_unet': did you mean residual_unet_mse\?"):
        find_recipe("residual_unet")


def test_a_training_elsewhere_is_that_of_the_bundle_runner(recipe, tiny_cohort, tmp_path, monkeypatch):
    settings = {"max_epochs": 1, "batch_size": 4, "device": "$torch.device('cpu')", "amp": False}
    monkeypatch.chdir(ROOT)
    places = {"dataset_dir": str(tiny_cohort), "output_dir": str(tmp_path / "one"), "cache_dir": ""}
    files = ["configs/train.yaml", "configs/evaluate.yaml"]
    plain = ConfigWorkflow(files, run_id="training", logging_file=False, recipe=RECIPE, **places, **settings)
    plain.initialize()
    plain.run()
    monkeypatch.chdir(tmp_path)
    recipe_workflow(recipe, "training", settings, str(tiny_cohort)).run()
    one, two = (torch.load(tmp_path / place / "model.pt") for place in ("one", f"eval/{RECIPE}"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert (tmp_path / "eval" / "cache").is_dir()
    assert not (tmp_path / "configs").exists()
