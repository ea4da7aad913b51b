# SPDX-License-Identifier: Apache-2.0
"""The commands on a trained latent space, from end to end on small heads."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from monai.bundle import ConfigParser

from scripts.__main__ import main
from scripts.commands.latent import compare, evaluate, interpolate, sample, traverse
from scripts.latent.space import open_space
from scripts.latent.tables import neuron_table
from scripts.tissue import CRITERIA

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


SLICE_RECIPE = """
recipe: small_slices
config_file:
- configs/train.yaml
- configs/data/frame_128.yaml
- configs/net/variational_autoencoder.yaml
- configs/loss/elbo.yaml
- configs/reg/kl.yaml
- configs/corruption/none.yaml
network_def#channels: [2, 2, 4, 4]
network_def#latent_size: 6
cache_dir: ""
"""


def untrained(folder: Path, recipe: str, cohort: Path) -> dict[str, str]:
    """A recipe with a small network, and its weights before any training."""
    settings = yaml.safe_load(recipe)
    file, weights = folder / f"{settings['recipe']}.yaml", folder / "model.pt"
    file.write_text(recipe)
    parser = ConfigParser()
    parser.read_config(settings.pop("config_file"))
    parser.update(settings)
    torch.manual_seed(0)
    torch.save(parser.get_parsed_content("network_def").state_dict(), weights)
    return {"recipe": str(file), "dataset_dir": str(cohort), "weights": str(weights)}


@pytest.fixture(scope="module")
def arguments(tmp_path_factory, labelled_cohort) -> dict[str, str]:
    return untrained(tmp_path_factory.mktemp("latent"), RECIPE, labelled_cohort)


@pytest.fixture(scope="module")
def slice_arguments(tmp_path_factory, tiny_cohort) -> dict[str, str]:
    return untrained(tmp_path_factory.mktemp("slices"), SLICE_RECIPE, tiny_cohort)


@pytest.fixture(scope="module")
def evaluated(arguments, tmp_path_factory) -> list[Path]:
    """The same evaluation, twice."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    for folder in folders:
        evaluate(**arguments, output_dir=str(folder), samples=5, judged=4, bank=20)
    return folders


def test_evaluate_writes_all_tables_and_the_report(evaluated):
    tmp_path = evaluated[0]
    attributes = pd.read_csv(tmp_path / "attributes.csv")
    assert list(attributes.columns) == [
        "attribute",
        "spearman_own",
        "spearman_best_other",
        "monotonic_share",
        "effect_size",
    ]
    assert list(attributes["attribute"][:2]) == ["slice_level", "brain_area"]
    assert attributes["spearman_own"].abs().le(1).all()
    assert attributes["monotonic_share"].between(0, 1).all()
    samples = pd.read_csv(tmp_path / "samples.csv")
    assert samples["source"].value_counts()[["prior", "parzen", "interpolation"]].tolist() == [5, 5, 5]
    assert set(samples["nearest_subject"]) <= {"a", "b", "c"}  # the training subjects
    assert (samples["source"] == "test").sum() == (samples["source"] == "test, decoded").sum() > 5
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
    assert (tmp_path / "traversals.png").stat().st_size > 1000
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") >= 5
    assert "<table" in page
    assert "&lt;table" not in page


def test_evaluate_gives_the_same_twice(evaluated):
    for table in ("attributes", "intervals", "samples", "conditional", "validity"):
        one, two = ((folder / f"{table}.csv").read_text() for folder in evaluated)
        assert one == two


def test_a_traversal_starts_and_ends_at_the_training_codes(arguments, tmp_path):
    traverse("ventricle_area", **arguments, output_dir=str(tmp_path), steps=4, subject="f")
    assert nib.load(tmp_path / "traversal_ventricle_area.nii.gz").shape == (48, 48, 4)
    assert len(pd.read_csv(tmp_path / "traversal_ventricle_area.csv")) == 4
    assert (tmp_path / "traversal_ventricle_area.png").stat().st_size > 1000


def test_an_interpolation_is_written(arguments, tmp_path):
    interpolate("e", "f", **arguments, output_dir=str(tmp_path), steps=3)
    assert nib.load(tmp_path / "interpolation.nii.gz").shape == (48, 48, 3)


@pytest.mark.parametrize("settings", [{}, {"source": "prior"}, {"attribute": "brain_area", "value": 4500}])
def test_samples_are_written(arguments, tmp_path, settings):
    sample(**arguments, **settings, output_dir=str(tmp_path), count=4)
    table = pd.read_csv(tmp_path / "samples.csv")
    assert len(table) == 4
    assert table["log_density"].notna().all()
    assert set(table["nearest_subject"]) <= {"a", "b", "c"}


def test_slices_are_evaluated_without_attributes(slice_arguments, tmp_path):
    evaluate(**slice_arguments, output_dir=str(tmp_path), samples=5)
    table = pd.read_csv(tmp_path / "reconstruction.csv").set_index("subject")
    assert list(table.index) == ["e"]
    space = open_space(**slice_arguments)
    decoded = space.model.decode(space.codes["test"])
    error = np.mean((decoded - space.images["test"].astype(np.float32)) ** 2)
    assert table.loc["e", "psnr_whole"] == pytest.approx(-10 * np.log10(error), abs=1e-3)
    mean_kl = pd.read_csv(tmp_path / "dimensions.csv")["kl"].sum()
    assert table.loc["e", "bits_per_pixel"] == pytest.approx(mean_kl / np.log(2) / 128**2, rel=1e-2)  # 4 digits
    samples = pd.read_csv(tmp_path / "samples.csv")
    assert set(samples["nearest_subject"]) <= {"a", "b", "c"}
    assert not (tmp_path / "attributes.csv").exists()
    page = (tmp_path / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3


def test_the_nearest_slice_of_a_training_slice_is_itself(slice_arguments):
    space = open_space(**slice_arguments)
    rows, distance = space.nearest(space.images["training"][[4, 7]])
    assert rows.tolist() == [4, 7]
    assert distance == pytest.approx(0, abs=1e-3)
    moved = np.clip(space.images["training"][[4]].astype(np.float32) + 0.01, 0, 2)
    assert space.nearest(moved)[1][0] == pytest.approx(0.01, rel=0.02)  # half precision


def test_a_network_that_sees_images_and_masks_is_refused(tmp_path, labelled_cohort):
    pairs = """
recipe: pairs
config_file: [configs/train.yaml, configs/data/image_mask_pairs.yaml, configs/net/joint_autoencoder.yaml]
"""
    with pytest.raises(ValueError, match="recipe pairs has no code of one vector for images of one channel"):
        evaluate(**untrained(tmp_path, pairs, labelled_cohort), output_dir=str(tmp_path))


def test_slices_are_interpolated_and_sampled(slice_arguments, tmp_path):
    interpolate("e", "e", **slice_arguments, output_dir=str(tmp_path), steps=3)
    stack = nib.load(tmp_path / "interpolation.nii.gz")
    assert stack.shape == (128, 128, 3)
    assert nib.aff2axcodes(stack.affine) == ("I", "P", "R")
    sample(**slice_arguments, output_dir=str(tmp_path), count=4)
    assert len(pd.read_csv(tmp_path / "samples.csv")) == 4
    with pytest.raises(ValueError, match="recipe small_slices is not of tissue masks"):
        sample(**slice_arguments, attribute="brain_area", value=1.0)


def test_the_neuron_of_a_constrained_recipe_is_measured(arguments, tmp_path):
    recipe = RECIPE.replace("reg/attributes", "reg/slice_level").replace("autoencoder.yaml", "autoencoder_neuron.yaml")
    space = open_space(**untrained(tmp_path, recipe, arguments["dataset_dir"]))
    table = neuron_table(space)
    assert table["attribute"].tolist() == ["slice_level"]
    with torch.no_grad():
        said = space.model.network.neuron(torch.from_numpy(space.codes["test"]))[:, 0].numpy()
    level = space.level["test"]
    assert table["mean_absolute_error"][0] == pytest.approx(np.abs(said - level).mean(), abs=1e-3)
    assert neuron_table(open_space(**arguments)).empty


def test_trainings_are_compared(evaluated, tmp_path, capsys):
    assert main(["latent", "compare", *map(str, evaluated), "--output_dir", str(tmp_path / "both")]) == 0
    assert capsys.readouterr().out == f"wrote comparison.csv, comparison.md into {tmp_path / 'both'}\n"
    table = pd.read_csv(tmp_path / "both" / "comparison.csv")
    assert set(table["recipe"]) == {"small"}
    assert (table["trainings"] == 2).all()
    row = table[(table["quantity"] == "Spearman, own") & (table["of"] == "brain_area")].iloc[0]
    one = pd.read_csv(evaluated[0] / "attributes.csv").set_index("attribute")
    assert row["mean"] == pytest.approx(abs(one.loc["brain_area", "spearman_own"]), abs=1e-3)  # the same weights
    assert row["sd"] == 0
    assert row["low"] <= row["mean"] <= row["high"]
    dice = pd.read_csv(evaluated[0] / "reconstruction.csv").groupby("class")["dice"].mean()
    found = table[table["quantity"] == "Dice"].set_index("of")["mean"]
    assert found["grey"] == pytest.approx(dice["grey"], abs=1e-3)
    assert "| small |" in (tmp_path / "both" / "comparison.md").read_text()
    with pytest.raises(FileNotFoundError, match="nowhere holds no results of tissue masks: make them with"):
        compare(["nowhere"], output_dir=str(tmp_path / "no"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": "ar_vea"}, "no recipe fits 'ar_vea': did you mean ar_vae"),
        ({"recipe": "residual_unet_mse"}, "weights .* do not fit ResidualUNet: "),
        ({"weights": "nowhere.pt"}, "there are no weights at nowhere.pt: train first"),
        ({"part": "training"}, "part must be one of test, validation, got 'training'"),
        ({"recipe": "vae"}, "weights .* do not fit VariationalAutoencoder: "),
    ],
)
def test_wrong_arguments_are_named(arguments, tmp_path, change, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        evaluate(**arguments | {"output_dir": str(tmp_path)} | change)


def test_weights_of_another_network_are_refused(arguments, tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"weights .*other.pt do not fit VariationalAutoencoder"):
        evaluate(**arguments | {"weights": str(tmp_path / "other.pt")})


def test_a_cohort_without_labels_is_refused(arguments, tiny_cohort):
    with pytest.raises(ValueError, match="has no label file: tissue masks need region labels"):
        evaluate(**arguments | {"dataset_dir": str(tiny_cohort)})


def test_wrong_choices_of_samples_are_refused(arguments):
    with pytest.raises(ValueError, match="--attribute and --value go together"):
        sample(**arguments, attribute="brain_area")
    with pytest.raises(ValueError, match=r"must lie between 4032 and 4736, .* got 3000"):
        sample(**arguments, attribute="brain_area", value=3000)
    with pytest.raises(ValueError, match="attribute must be one of slice_level, brain_area"):
        traverse("area", **arguments)
    with pytest.raises(ValueError, match="g is no test subject of this cohort: choose one of e, f"):
        traverse("aspect", **arguments, subject="g")


def words(arguments: dict[str, str]) -> list[str]:
    return [word for name, value in arguments.items() for word in (f"--{name}", value)]


def test_command_line(arguments, tmp_path, capsys, caplog):
    typed = ["latent", "traverse", "aspect", *words(arguments), "--steps", "3", "--output-dir", str(tmp_path)]
    assert main(typed) == 0
    name = "traversal_aspect"
    assert capsys.readouterr().out == f"wrote {name}.png, {name}.nii.gz, {name}.csv into {tmp_path}\n"
    typed = ["latent", "sample", *words(arguments), "--source", "rejection", "--count", "8"]
    assert main([*typed, "--output_dir", str(tmp_path)]) == 0
    assert "samples.csv" in capsys.readouterr().out
    assert f"kept {len(pd.read_csv(tmp_path / 'samples.csv'))} of 8 proposals" in caplog.text


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("evaluate --samples 0", "--samples: must be a whole number of at least 1, got '0'"),
        ("evaluate --part training", "--part: must be one of test, validation, got 'training'"),
        ("sample --source x", "--source: must be one of parzen, prior, rejection, got 'x'"),
        ("sample --value 3", "--attribute and --value go together"),
        ("compare", "the following arguments are required: FOLDERS"),
        ("traverse", "the following arguments are required: ATTRIBUTE"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_work(typed, message, capsys):
    assert main(["latent", *typed.split()]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
