# SPDX-License-Identifier: Apache-2.0
"""The inference configs of the latent bundles: what they write is what ``encode`` and ``decode`` return."""

from __future__ import annotations

import csv
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monai.bundle import ConfigParser, ConfigWorkflow

import scripts
from scripts.data.demo.head import make_head
from scripts.inference.report import SkippedVolumesError
from scripts.latent.volumes import SliceCodes
from scripts.tissue.classes import MUSE_TISSUES, Tissue
from tests.helpers.user_errors import user_error

CONFIGS = {
    "vae": ["configs/inference_latent.yaml"],
    "ar_vae": ["configs/inference_latent.yaml", "configs/inference_latent_masks.yaml"],
}


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head, its tissue classes and its region labels, all of an oblique grid of its own."""
    folder = tmp_path_factory.mktemp("volumes")
    head = make_head(seed=3, spacing_mm=4.0)
    affine = head.affine @ np.diag([1.0, 1.0, -1.0, 1.0])
    regions = np.array([MUSE_TISSUES[tissue][0] for tissue in Tissue])
    for name, values in (
        ("vae/sub-1_T1w", 300 * head.image),
        ("ar_vae/classes", head.label),
        ("ar_vae/regions", regions[head.label]),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(values[..., ::-1].astype(np.float32), affine), folder / f"{name}.nii.gz")
    return folder


def run(root: Path, recipe: str, dataset_dir: Path, output_dir: Path) -> ConfigWorkflow:
    places = {"dataset_dir": str(dataset_dir), "output_dir": str(output_dir), "bundle_root": str(root)}
    files = [str(root / file) for file in CONFIGS[recipe]]
    workflow = ConfigWorkflow(files, workflow_type="infer", logging_file=False, device="cpu", **places)
    workflow.initialize()
    assert workflow.check_properties() == []
    workflow.run()
    return workflow


def table(path: Path) -> dict[str, np.ndarray]:
    with path.open() as file:
        header, *rows = csv.reader(file)
    return dict(zip(header, np.array(rows, dtype=np.float64).T, strict=True))


def test_codes_and_decoded_head_are_those_of_the_public_functions(root: Path, volumes: Path, tmp_path: Path) -> None:
    run(root, "vae", volumes / "vae", tmp_path)
    head = volumes / "vae/sub-1_T1w.nii.gz"
    codes = scripts.encode(head)
    written = table(tmp_path / "sub-1_desc-decoded_T1w.csv")
    np.testing.assert_array_equal(written.pop("slice"), codes.slices)
    assert list(written) == [f"z{number}" for number in range(64)]
    np.testing.assert_array_equal(np.stack(list(written.values()), 1).astype(np.float32), codes.values)
    decoded = nib.load(tmp_path / "sub-1_desc-decoded_T1w.nii.gz")
    np.testing.assert_array_equal(decoded.get_fdata(), scripts.decode(codes, like=head).get_fdata())
    assert decoded.shape == nib.load(head).shape
    np.testing.assert_allclose(decoded.affine, nib.load(head).affine)


def test_masks_have_their_attributes_and_may_be_regions_or_classes(root: Path, volumes: Path, tmp_path: Path) -> None:
    run(root, "ar_vae", volumes / "ar_vae", tmp_path)
    regions = volumes / "ar_vae/regions.nii.gz"
    codes = scripts.encode(regions, recipe="ar_vae")
    for name in ("classes", "regions"):
        written = table(tmp_path / f"{name}_decoded.csv")
        values = np.stack([written[f"z{number}"] for number in range(16)], 1)
        np.testing.assert_array_equal(values.astype(np.float32), codes.values)
        np.testing.assert_array_equal(written["slice"], codes.slices)
        assert (np.diff(written["slice_level"]) > 0).all()
        voxels = nib.load(volumes / f"ar_vae/{name}.nii.gz").get_fdata()
        assert written["brain_area"].max() == pytest.approx((voxels > 0).sum((0, 1)).max() * 16)
        decoded = nib.load(tmp_path / f"{name}_decoded.nii.gz")
        assert decoded.get_data_dtype() == np.uint8
        expected = scripts.decode(SliceCodes(*codes), like=regions, recipe="ar_vae")
        np.testing.assert_array_equal(decoded.dataobj, expected.dataobj)


def test_a_volume_without_tissue_is_skipped(root: Path, volumes: Path, tmp_path: Path) -> None:
    image = np.zeros((24, 24, 24), dtype=np.float32)
    image[12, 12, 12] = 1.0
    image[11] = 1.0
    image[11, 4:] = 0.0
    (tmp_path / "in").mkdir()
    nib.save(nib.Nifti1Image(image, np.eye(4)), tmp_path / "in/speck.nii.gz")
    with user_error(SkippedVolumesError, "1 of 1 volumes were skipped"):
        run(root, "vae", tmp_path / "in", tmp_path / "out")
    assert "no slice shows" in (tmp_path / "out/report.json").read_text()


@pytest.mark.parametrize("recipe", CONFIGS)
def test_the_configs_say_what_the_recipes_say(root: Path, recipe: str) -> None:
    """On their own they serve the shipped weights; the builder takes these values from the recipe anyway."""
    settings = ConfigParser.load_config_file(root / f"configs/recipe/{recipe}.yaml")
    training = ConfigParser(ConfigParser.load_config_files([root / file for file in settings["config_file"]]))
    inference = ConfigParser(ConfigParser.load_config_files([root / file for file in CONFIGS[recipe]]))
    assert inference["plane"] == training["plane"]
    dataset = training["train#dataset"]
    for key in {"centre", "size", "min_area_mm2", "attributes"} & set(dataset):
        assert inference[key] == dataset[key], key
    own, other = (config.get_parsed_content("network_def") for config in (inference, training))
    assert str(own) == str(other)
    if recipe == "vae":
        assert inference["volume_transforms"] == training["volume_transforms"]
