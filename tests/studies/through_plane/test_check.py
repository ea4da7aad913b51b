# SPDX-License-Identifier: Apache-2.0
"""``python -m scripts.studies.through_plane`` from end to end on toy heads and an untrained network."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from monai.bundle import ConfigParser

from scripts.studies.through_plane.__main__ import check
from scripts.studies.through_plane.jumps import JUMPS
from scripts.tissue import ConsistencyThresholds
from scripts.tissue.slices import SPACING_MM, whole_brain_slices
from tests.helpers.toy_brain import write_toy_cohort

NETWORK = "configs/net/tissue_autoencoder.yaml"
RECIPE = f"""
config_file:
- configs/train.yaml
- configs/data/tissue_slices.yaml
- {NETWORK}
- configs/loss/class_overlap.yaml
- configs/reg/kl_tissue.yaml
- configs/reg/attributes.yaml
- configs/corruption/none.yaml
network_def#channels: [2, 4, 4]
"""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("consistency")
    cohort = write_toy_cohort(folder / "cohort", count=30)
    arguments = {"path": str(folder / "consistency.json"), "dataset_dir": str(cohort)}
    slices = whole_brain_slices(str(cohort), "training", SPACING_MM[0])
    ConsistencyThresholds.learn(slices, SPACING_MM[0]).save(arguments["path"])
    return arguments


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A recipe with a small, untrained network, and its weights."""
    folder = tmp_path_factory.mktemp("recipe")
    (folder / "small.yaml").write_text(RECIPE)
    torch.manual_seed(0)
    parser = ConfigParser({"network_def": ConfigParser.load_config_file(NETWORK)["network_def"]})
    parser["network_def#channels"] = [2, 4, 4]
    torch.save(parser.get_parsed_content("network_def").state_dict(), folder / "model.pt")
    return {"recipe": str(folder / "small.yaml"), "weights": str(folder / "model.pt")}


def test_check_writes_a_row_for_each_jump(
    arguments: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    check(**arguments, output_dir=str(tmp_path), per_head=2)
    table, summary = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("consistency", "summary"))
    assert table.columns.tolist() == ["jump", "subject", "slice", "level", "found", "others"]
    assert table["jump"].value_counts().to_dict() == dict.fromkeys(JUMPS, 4)
    assert set(table["subject"]) == {"s5", "s6"}  # the test heads
    assert summary["jump"].tolist() == [*JUMPS, "all"]
    assert summary["slices"].tolist() == [4] * len(JUMPS) + [4 * len(JUMPS)]
    assert summary["sensitivity"].iloc[-1] == pytest.approx(table["found"].mean(), abs=1e-4)
    assert "test: 56 healthy slices of 2 heads" in capsys.readouterr().out
    assert not (tmp_path / "profiles.png").exists()


def test_check_corrects_with_a_recipe(arguments: dict[str, str], trained: dict[str, str], tmp_path: Path):
    check(**arguments, **trained, output_dir=str(tmp_path), per_head=1)
    table = pd.read_csv(tmp_path / "consistency.csv")
    assert len(table) == 2 * len(JUMPS)
    dice = table[["dice_before", "dice_after", "dice_smoothed"]]
    assert dice.min().min() >= 0
    assert dice.max().max() <= 1
    missed = table[(table["found"] == 0) & (table["others"] == 0)]
    assert missed["dice_before"].tolist() == missed["dice_after"].tolist()
    assert table["found"].max() == 1
    assert (table["dice_before"] != table["dice_after"]).any()
    for picture in ("profiles.png", "slices.png"):
        assert (tmp_path / picture).stat().st_size > 1000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "nowhere.json"}, "No such file or directory: 'nowhere.json'"),
        ({"per_head": 0}, "--per_head must be whole numbers, at least 1, got 0"),
        ({"per_head": 29}, "per_head must be at most 28, the judged slices of the smallest head, got 29"),
        ({"weights": "model.pt"}, "--weights go with --recipe"),
        ({"recipe": "ar_vea"}, "no recipe fits 'ar_vea'"),
        ({"part": "tests"}, "tests"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, str], tmp_path: Path, change: dict, message: str):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        check(**arguments | {"output_dir": str(tmp_path)} | change)
    assert not any(tmp_path.iterdir())


def test_thresholds_of_another_grid_are_refused(arguments: dict[str, str], trained: dict[str, str], tmp_path: Path):
    content = json.loads(Path(arguments["path"]).read_text())
    (tmp_path / "fine.json").write_text(json.dumps(content | {"spacing_mm": [2.0, 2.0, 2.0]}))
    with pytest.raises(ValueError, match="are for pixels of 2 mm, those of recipe small have 4 mm: learn them with"):
        check(**arguments | trained | {"path": str(tmp_path / "fine.json"), "output_dir": str(tmp_path)})
