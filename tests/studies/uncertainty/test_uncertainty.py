# SPDX-License-Identifier: Apache-2.0
"""``python -m scripts.studies.uncertainty`` from end to end on small heads."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from monai.bundle import ConfigParser

from scripts.studies.uncertainty.__main__ import _method_table, evaluate
from scripts.studies.uncertainty.segmented_part import SegmentedPart

NETWORKS = {
    "segmentation": ("segmentation_unet", {"features": [4] * 6}),
    "crisp": ("joint_autoencoder", {"channels": [2, 4, 4], "image_features": [2, 4, 4, 4]}),
}


@pytest.fixture(scope="module")
def arguments(tmp_path_factory, labelled_cohort) -> dict[str, str]:
    """Recipes of small, untrained networks, and their weights."""
    folder = tmp_path_factory.mktemp("uncertainty")
    arguments = {"dataset_dir": str(labelled_cohort)}
    for name, (network, settings) in NETWORKS.items():
        fragment = f"configs/net/{network}.yaml"
        files = ["configs/train.yaml", "configs/data/image_mask_slices.yaml", fragment]
        overrides = "".join(f"network_def#{key}: {value}\n" for key, value in settings.items())
        (folder / f"{name}.yaml").write_text(f"recipe: {name}\nconfig_file: {files}\n{overrides}")
        parser = ConfigParser({"network_def": ConfigParser.load_config_file(fragment)["network_def"] | settings})
        torch.manual_seed(0)
        torch.save(parser.get_parsed_content("network_def").state_dict(), folder / f"{name}.pt")
        arguments |= {f"{name}_recipe": str(folder / f"{name}.yaml"), f"{name}_weights": str(folder / f"{name}.pt")}
    return arguments


def test_it_writes_a_row_for_each_method_and_a_picture(arguments, tmp_path):
    evaluate(**arguments, output_dir=str(tmp_path), masks=5, passes=2)
    table = pd.read_csv(tmp_path / "uncertainty.csv")
    assert list(table["method"]) == ["crisp", "entropy", "mc_dropout", "edge"]
    assert table[["spearman", "pearson"]].abs().max(axis=None) <= 1
    assert table[["ece", "overlap"]].apply(lambda column: column.between(0, 1)).all(axis=None)
    assert table["threshold"].between(0.025, 0.975).all()
    slices = pd.read_csv(tmp_path / "slices.csv")
    assert set(slices["subject"]) == {"e", "f"}
    assert slices["dice"].between(0, 1).all()
    assert len(pd.read_csv(tmp_path / "segmentation.csv")) == 6
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["subjects"] == {"training": 3, "validation": 1, "test": 2}
    assert summary["masks"] == 5
    assert (tmp_path / "maps.png").stat().st_size > 10_000


def test_it_gives_the_same_twice(arguments, tmp_path):
    for name in ("one", "two"):
        evaluate(**arguments, output_dir=str(tmp_path / name), masks=3, passes=2)
    one, two = ((tmp_path / name / "slices.csv").read_text() for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crisp_weights": "nowhere.pt"}, "there are no weights at nowhere.pt: train first"),
        ({"crisp_recipe": "tissue_unet"}, "do not fit SegmentationUNet: "),
        ({"segmentation_recipe": "tissue"}, "no recipe fits 'tissue': did you mean "),
        ({"masks": 0}, "--masks must be whole numbers, at least 1, got 0"),
        ({"passes": 1.5}, "--passes must be whole numbers, at least 1, got 1.5"),
    ],
)
def test_wrong_arguments_are_refused(arguments, tmp_path, change, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        evaluate(**arguments | {"output_dir": str(tmp_path)} | change)


def test_recipes_that_do_not_fit_are_refused(arguments, tmp_path):
    swapped = {"crisp_recipe": arguments["segmentation_recipe"], "crisp_weights": arguments["segmentation_weights"]}
    with pytest.raises(ValueError, match="has a SegmentationUNet, which does not see images and masks"):
        evaluate(**arguments | {"output_dir": str(tmp_path)} | swapped)


def part(subject: str, wrong_above: float) -> SegmentedPart:
    """Slices whose prediction is wrong exactly where the map exceeds a value."""
    uncertain = torch.linspace(0.0125, 0.9875, 40).repeat(3, 2, 1)  # between the thresholds that are tried
    label = torch.ones(uncertain.shape, dtype=torch.uint8)
    predicted = label + (uncertain > wrong_above).to(torch.uint8)
    subjects = np.array([f"{subject}1", f"{subject}1", f"{subject}2"])
    return SegmentedPart(uncertain[:, None], label, predicted, label, {"map": uncertain}, subjects, np.zeros(3))


def test_the_threshold_is_that_of_the_validation_subjects():
    test = part("t", 0.31)
    slices = pd.DataFrame({"subject": test.subjects, "dice": [0.5, 0.6, 0.7], "map": [0.3, 0.2, 0.1]})
    (row,) = _method_table(part("v", 0.61), test, slices, seed=0).to_dict("records")
    assert row["threshold"] == pytest.approx(0.6)
    called, wrong = 40 - 24, 40 - 12  # pixels of 40 above 0.6, and above 0.31
    assert row["overlap"] == pytest.approx(2 * called / (called + wrong))
    assert row["spearman"] == pytest.approx(1)  # the more uncertain, the less Dice
