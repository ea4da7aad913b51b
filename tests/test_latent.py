# SPDX-License-Identifier: Apache-2.0
"""The commands on a trained latent space, from end to end on small heads."""

from __future__ import annotations

import nibabel as nib
import pandas as pd
import pytest
import torch
from monai.bundle import ConfigParser

from scripts.latent import evaluate, interpolate, sample, traverse
from scripts.plausibility import CRITERIA

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


@pytest.fixture(scope="module")
def arguments(tmp_path_factory, labelled_cohort) -> dict[str, str]:
    """A recipe with a small, untrained network, and its weights."""
    folder = tmp_path_factory.mktemp("latent")
    recipe, weights = folder / "small.yaml", folder / "model.pt"
    recipe.write_text(RECIPE)
    torch.manual_seed(0)
    parser = ConfigParser(
        {"network_def": ConfigParser.load_config_file("configs/net/tissue_autoencoder.yaml")["network_def"]}
    )
    parser["network_def#channels"] = [2, 4, 4]
    torch.save(parser.get_parsed_content("network_def").state_dict(), weights)
    return {"recipe": str(recipe), "dataset_dir": str(labelled_cohort), "weights": str(weights)}


def test_evaluate_writes_all_tables_and_the_report(arguments, tmp_path):
    evaluate(**arguments, output_dir=str(tmp_path), samples=5, judged=4, bank=20)
    attributes = pd.read_csv(tmp_path / "attributes.csv")
    assert list(attributes.columns) == ["attribute", "spearman_own", "spearman_best_other", "monotonic_share"]
    assert list(attributes["attribute"][:2]) == ["slice_level", "brain_area"]
    assert attributes["spearman_own"].abs().le(1).all()
    assert attributes["monotonic_share"].between(0, 1).all()
    samples = pd.read_csv(tmp_path / "samples.csv")
    assert samples["source"].value_counts()[["prior", "parzen", "interpolation"]].tolist() == [5, 5, 5]
    assert set(samples["nearest_subject"]) <= {"a", "b", "c"}  # the training subjects
    assert set(pd.read_csv(tmp_path / "reconstruction.csv")["subject"]) == {"e", "f"}
    assert len(pd.read_csv(tmp_path / "dimensions.csv")) == 16
    assert len(pd.read_csv(tmp_path / "rejection.csv")) == 4
    assert len(pd.read_csv(tmp_path / "conditional.csv")) == len(attributes)
    validity = pd.read_csv(tmp_path / "validity.csv").set_index("masks")
    assert {"labels", "reconstructions", "prior", "parzen", "interpolation", "damaged segmentation"} <= set(
        validity.index
    )
    assert validity.loc["prior", "n"] == 4
    assert validity.loc["damaged segmentation", "dice_before"] < 1
    passes = [f"{name}_before" for name in CRITERIA]
    assert (validity["valid_before"] <= validity[passes].min(axis=1)).all()
    assert (validity["valid_after"] >= validity["valid_before"]).all()
    # an untrained network decodes no plausible mask: all repairs are with training labels
    assert validity.loc["damaged segmentation", "with_training_labels"] > 0
    assert validity.loc["damaged segmentation", "valid_after"] > validity.loc["damaged segmentation", "valid_before"]
    assert validity.loc["prior", "with_training_labels"] == 0
    areas = pd.read_csv(tmp_path / "smallest_area.csv")
    assert areas["slices"].is_monotonic_decreasing
    assert nib.load(tmp_path / "traversal_brain_area.nii.gz").shape == (48, 48, 9)
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") >= 5
    assert "<table" in page
    assert "&lt;table" not in page


def test_evaluate_gives_the_same_twice(arguments, tmp_path):
    for name in ("one", "two"):
        evaluate(**arguments, output_dir=str(tmp_path / name), samples=3, judged=2, bank=5)
    for table in ("attributes", "samples", "conditional", "validity"):
        one, two = ((tmp_path / name / f"{table}.csv").read_text() for name in ("one", "two"))
        assert one == two


def test_a_traversal_starts_and_ends_at_the_training_codes(arguments, tmp_path):
    traverse("ventricle_area", **arguments, output_dir=str(tmp_path), steps=4, subject="f")
    assert nib.load(tmp_path / "traversal_ventricle_area.nii.gz").shape == (48, 48, 4)
    assert len(pd.read_csv(tmp_path / "traversal_ventricle_area.csv")) == 4
    assert (tmp_path / "traversal_ventricle_area.png").stat().st_size > 1000


def test_an_interpolation_is_written(arguments, tmp_path):
    interpolate("e", "f", **arguments, output_dir=str(tmp_path), steps=3)
    assert nib.load(tmp_path / "interpolation.nii.gz").shape == (48, 48, 3)


@pytest.mark.parametrize("settings", [{}, {"source": "prior"}, {"attribute": "brain_area", "value": 3000}])
def test_samples_are_written(arguments, tmp_path, settings):
    sample(**arguments, **settings, output_dir=str(tmp_path), count=4)
    table = pd.read_csv(tmp_path / "samples.csv")
    assert len(table) == 4
    assert table["log_density"].notna().all()
    assert set(table["nearest_subject"]) <= {"a", "b", "c"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": "ar_vea"}, "there is no recipe 'ar_vea'. The recipes are: (?s:.*)ar_vae"),
        ({"recipe": "vae"}, "recipe vae is not of tissue masks"),
        ({"weights": "nowhere.pt"}, "there are no weights at nowhere.pt: train with"),
        ({"part": "training"}, "--part must be one of test, validation, got 'training'"),
        ({"judged": 0}, "--judged must be a whole number of at least 1, got 0"),
        ({"samples": 0}, "--samples must be a whole number of at least 1, got 0"),
    ],
)
def test_wrong_arguments_end_with_one_line(arguments, tmp_path, change, message):
    with pytest.raises(SystemExit, match=message):
        evaluate(**arguments | {"output_dir": str(tmp_path)} | change)


def test_weights_of_another_network_are_refused(arguments, tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(SystemExit, match=r"other.pt do not fit the network of recipe small"):
        evaluate(**arguments | {"weights": str(tmp_path / "other.pt")})


def test_a_cohort_without_labels_is_refused(arguments, tiny_cohort):
    with pytest.raises(SystemExit, match="has no label file: tissue masks need region labels"):
        evaluate(**arguments | {"dataset_dir": str(tiny_cohort)})


def test_wrong_choices_of_samples_are_refused(arguments):
    with pytest.raises(SystemExit, match="--source must be one of parzen, prior, rejection, got 'x'"):
        sample(**arguments, source="x")
    with pytest.raises(SystemExit, match="--attribute and --value go together"):
        sample(**arguments, attribute="brain_area")
    with pytest.raises(SystemExit, match="--attribute must be one of slice_level, brain_area"):
        traverse("area", **arguments)
    with pytest.raises(SystemExit, match="g is no test subject of this cohort: choose one of e, f"):
        traverse("aspect", **arguments, subject="g")
