# SPDX-License-Identifier: Apache-2.0
"""``python -m scripts chart``: learn a chart from boxes, and place boxes on it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from monai.bundle import ConfigParser

from scripts.__main__ import main
from scripts.commands.chart import learn, place
from scripts.normative import MEASURES
from scripts.normative.measures import CodeMeans
from scripts.tissue import load_tissue_slices
from tests.helpers.box_cohort import box_head, write_box_cohort
from tests.helpers.volume_files import affine

RECIPE = """
recipe: small
config_file:
- configs/train.yaml
- configs/data/tissue_slices.yaml
- configs/net/tissue_autoencoder.yaml
- configs/loss/class_overlap.yaml
- configs/reg/kl_tissue.yaml
- configs/reg/attributes.yaml
- configs/corruption/none.yaml
network_def#channels: [2, 4, 4]
"""
CONSTANT = ("brain_volume", "ventricle_asymmetry", "aspect")
"""Equal in all boxes, so there is no chart of them."""


@pytest.fixture(scope="module", autouse=True)
def _measures_that_vary():
    with pytest.MonkeyPatch.context() as patch:
        for name in CONSTANT:
            patch.delitem(MEASURES, name)
        yield


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    return write_box_cohort(tmp_path_factory.mktemp("boxes"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[str, str]:
    """A recipe with a small, untrained network, and its weights."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "small.yaml").write_text(RECIPE)
    torch.manual_seed(0)
    parser = ConfigParser(
        {"network_def": ConfigParser.load_config_file("configs/net/tissue_autoencoder.yaml")["network_def"]}
    )
    parser["network_def#channels"] = [2, 4, 4]
    torch.save(parser.get_parsed_content("network_def").state_dict(), folder / "model.pt")
    return str(folder / "small.yaml"), str(folder / "model.pt")


@pytest.fixture(scope="module")
def chart(boxes, tmp_path_factory, _measures_that_vary) -> str:
    folder = tmp_path_factory.mktemp("charts") / "chart"
    learn(str(boxes), str(folder), folds=5)
    return str(folder)


def test_learn_writes_the_chart_and_its_calibration(chart):
    heads = pd.read_csv(f"{chart}/measures.csv")
    assert len(heads) == 35  # one has no age
    assert "ventricle_volume" in heads
    calibration = pd.read_csv(f"{chart}/calibration.csv")
    assert set(calibration["measure"]) == set(MEASURES)
    assert (calibration.loc[calibration["group"] == "all", "n"] == 35).all()
    assert "Example of 35 people, site X." in json.loads(Path(chart, "normative.json").read_text())["note"]
    assert Path(chart, "chart.png").stat().st_size > 10000


def test_a_file_is_placed(chart, tmp_path):
    shares = []
    for length in (8, 22):
        nib.save(nib.Nifti1Image(box_head(length), affine("PSR")), tmp_path / "new.nii.gz")
        place(str(tmp_path / "new.nii.gz"), age=50, sex="F", chart_dir=chart, output_dir=str(tmp_path / "placed"))
        placed = pd.read_csv(tmp_path / "placed/placed.csv").set_index("measure")
        assert placed.loc["ventricle_volume", "value"] == pytest.approx(length * 64 * 8 / 1000)
        assert (placed["heads"] == 35).all()
        shares.append(placed.loc["ventricle_volume", "percentile"])
    assert shares == pytest.approx([100 * 0.5 / 36, 100 * 35.5 / 36], abs=1e-3)  # below all, above all
    assert (tmp_path / "placed/placed.png").stat().st_size > 10000


def test_a_subject_is_placed_among_the_others(chart, boxes, tmp_path, capsys):
    place(subject="s10", chart_dir=chart, output_dir=str(tmp_path / "placed"))
    assert (pd.read_csv(tmp_path / "placed/placed.csv")["heads"] == 34).all()
    assert "among 34 heads, without the 1 of this subject" in capsys.readouterr().out
    with pytest.raises(ValueError, match="the age of s00 is not known: give --age"):
        place(subject="s00", chart_dir=chart, output_dir=str(tmp_path / "placed"))
    place(subject="s00", age=30, sex="M", chart_dir=chart, output_dir=str(tmp_path / "placed"))
    assert (pd.read_csv(tmp_path / "placed/placed.csv")["heads"] == 35).all()


def test_a_file_of_a_subject_of_the_chart_is_placed_among_the_others(chart, boxes, tmp_path):
    labels = [np.asarray(nib.load(path).dataobj) for path in Path(boxes).rglob("*.nii.gz")]
    known = {part.name: part for part in Path(boxes).rglob("*s10*.nii.gz")}
    own = next(iter(known.values()))
    alike = sum(np.array_equal(one, np.asarray(nib.load(own).dataobj)) for one in labels)  # boxes, not people
    shutil.copyfile(own, tmp_path / "anybody.nii.gz")
    place(str(tmp_path / "anybody.nii.gz"), age=50, sex="F", chart_dir=chart, output_dir=str(tmp_path / "placed"))
    assert 0 < alike < 5
    assert (pd.read_csv(tmp_path / "placed/placed.csv")["heads"] == 35 - alike).all()


def test_mean_codes_are_part_of_the_chart(boxes, trained, tmp_path, capsys):
    recipe, weights = trained
    learn(str(boxes), str(tmp_path / "chart"), recipe=recipe, weights=weights, folds=5)
    assert "1 without age or sex were left out. Example of 35 people, site X." in capsys.readouterr().out
    heads = pd.read_csv(tmp_path / "chart/measures.csv", index_col="subject")
    items = [{"subject": name, "label": str(boxes / f"{name}.nii.gz")} for name in ("s01", "s20")]
    coder = CodeMeans(recipe, weights)
    for item in items:  # by hand
        masks = load_tissue_slices([item], size=(48, 48), centre="brain", min_area_mm2=3500, progress=False)
        expected = coder.trained.model.encode(masks.classes)[:, 1].mean()
        assert heads.loc[item["subject"], "code_brain_area"] == pytest.approx(expected, abs=1e-5)
    assert "outside training" in set(pd.read_csv(tmp_path / "chart/calibration.csv")["group"])
    place(subject="s05", chart_dir=str(tmp_path / "chart"), output_dir=str(tmp_path / "placed"))
    placed = pd.read_csv(tmp_path / "placed/placed.csv").set_index("measure")
    assert placed.loc["code_slice_level", "value"] == pytest.approx(heads.loc["s05", "code_slice_level"], abs=1e-4)
    assert np.isfinite(placed["percentile"]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": ""}, "give one of a file of labels and --subject NAME"),
        ({"subject": "s01"}, "give one of a file of labels and --subject NAME"),
        ({"label": "nowhere.nii.gz"}, "the label file nowhere.nii.gz does not exist"),
        ({"label": "", "subject": "x"}, "there is no subject 'x' among the 36 heads"),
        ({"sex": ""}, r"the sex of s01.nii.gz is not known: give --sex"),
        ({"sex": "female"}, "sex must be one of F, M, got 'female'"),
        ({"age": 95}, "age 95 is outside the chart: its heads of sex F are 2"),
        ({"chart_dir": "nowhere"}, "nowhere has no measures.csv: learn a chart with"),
    ],
)
def test_wrong_arguments_are_named(chart, boxes, tmp_path, change, message):
    arguments = {"label": str(boxes / "s01.nii.gz"), "age": 50, "sex": "F", "chart_dir": chart}
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        place(**arguments | {"output_dir": str(tmp_path / "placed")} | change)
    assert not (tmp_path / "placed").exists()


def test_cohorts_without_what_is_needed_are_refused(labelled_cohort, boxes, trained, tmp_path):
    with pytest.raises(ValueError, match="none of the 6 heads has an age and a sex"):
        learn(str(labelled_cohort), str(tmp_path / "chart"))
    with pytest.raises(FileNotFoundError, match=r"there are no weights at nowhere\.pt"):
        learn(str(boxes), str(tmp_path / "chart"), weights="nowhere.pt")
    plain = tmp_path / "plain.yaml"
    plain.write_text(RECIPE.replace("- configs/reg/attributes.yaml\n", ""))
    with pytest.raises(ValueError, match="recipe plain ties no latent dimension to an attribute"):
        learn(str(boxes), str(tmp_path / "chart"), recipe=str(plain), weights=trained[1])
    assert not (tmp_path / "chart").exists()


def test_a_damaged_chart_is_refused(chart, boxes, tmp_path):
    damaged = Path(shutil.copytree(chart, tmp_path / "damaged"))
    (damaged / "measures.csv").write_text("subject,part,age,sex\na,training,old,F\n")
    with pytest.raises(ValueError, match=r"the chart in .*damaged is damaged"):
        place(str(boxes / "s01.nii.gz"), age=50, sex="F", chart_dir=str(damaged), output_dir=str(tmp_path / "placed"))


def test_command_line(chart, boxes, tmp_path, capsys):
    typed = ["chart", "place", str(boxes / "s01.nii.gz"), "--age", "50", "--sex=F", "--chart_dir", chart]
    assert main([*typed, str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "ventricle_volume" in printed
    assert printed.endswith(f"wrote placed.csv and placed.png into {tmp_path}\n")
    assert main(["chart", "place", "--subject", "s10", "--age", "old"]) == 2
    assert capsys.readouterr().err.startswith("error: --age: must be a number, got 'old'")


def test_a_cohort_that_is_too_small_is_refused_before_its_heads_are_measured(boxes, tmp_path, capsys):
    cohort = json.loads((boxes / "dataset.json").read_text())
    few = {part: cohort[part][:4] for part in ("training", "validation", "test")}
    (tmp_path / "dataset.json").write_text(json.dumps(cohort | few).replace(".nii.gz", ".nothing"))
    for item in (item for part in few.values() for item in part):
        for key in ("image", "label"):
            if key in item:
                (tmp_path / item[key].replace(".nii.gz", ".nothing")).touch()
    assert main(["chart", "learn", str(tmp_path), str(tmp_path / "chart")]) == 1
    assert "a chart needs 10 of each sex. Give a larger cohort." in capsys.readouterr().err
