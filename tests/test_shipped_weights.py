# SPDX-License-Identifier: Apache-2.0
"""The shipped weights, through the whole inference, on heads that they were not trained on."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from nilearn import datasets

from scripts import restore
from scripts.anatomy.head_mask import head_mask
from scripts.data.slices import subject_key
from scripts.evaluation import make_conditions

ROOT = Path(__file__).resolve().parents[1]
TEST_SUBJECTS = ("IXI221-HH-1606", "IXI566-HH-2535")  # of the split that the model card describes
BRAIN_PIXELS = 659  # the thesis's rule at 2 mm


def decibel(error: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean(error**2)))


def as_slices(volume: np.ndarray) -> torch.Tensor:
    """From axes P, S, R to sagittal slices ``(K, 1, H, W)``, superior up."""
    return torch.from_numpy(np.rot90(volume).copy()).permute(2, 0, 1)[:, None].float()


def as_volume(slices: torch.Tensor) -> np.ndarray:
    return np.rot90(slices[:, 0].permute(1, 2, 0).numpy(), -1)


@pytest.fixture(scope="module")
def restored(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, np.ndarray]]:
    """Clean, damaged and restored brain-bearing slices, 1 = 99.5th percentile of the clean volume, and the head."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("damaged", "restored"))
    cases: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    for subject in TEST_SUBJECTS:
        image = nib.load(real_data / f"ixi_hh_2mm/T1/{subject}_T1.nii.gz")
        label = nib.load(real_data / f"ixi_hh_2mm/labels/{subject}_T1_DLMUSE.nii.gz").get_fdata() > 0
        assert nib.aff2axcodes(image.affine) == ("P", "S", "R")
        clean = image.get_fdata(dtype=np.float32)
        scale = np.percentile(clean, 99.5)
        slices = as_slices(clean / scale)
        keys = {
            "subject": torch.full((len(slices),), subject_key(subject)),
            "slice": torch.arange(len(slices)),
            "epoch": 0,
        }
        for condition in make_conditions(["mixed", "clean"], [3], seed=1):
            damaged = as_volume(condition.corruption(slices, keys))
            nib.save(nib.Nifti1Image(damaged * scale, image.affine), source / f"{subject}_{condition.kind}.nii.gz")
            brain = label.sum((0, 1)) > BRAIN_PIXELS
            cases[subject, condition.kind] = {
                "clean": clean[..., brain] / scale, "damaged": damaged[..., brain],
                "head": head_mask(clean)[..., brain], "brain": brain, "scale": scale,
            }  # fmt: skip
    options = {"bundle_root": str(ROOT), "dataset_dir": str(source), "output_dir": str(target), "device": "cpu"}
    workflow = ConfigWorkflow(
        str(ROOT / "configs/inference.yaml"), workflow_type="infer", logging_file=False, **options
    )
    workflow.initialize()
    workflow.run()
    for (subject, kind), case in cases.items():
        volume = nib.load(target / f"{subject}_{kind}_restored.nii.gz").get_fdata(dtype=np.float32)
        case["restored"] = volume[..., case["brain"]] / case["scale"]
    return cases


@pytest.mark.parametrize("subject", TEST_SUBJECTS)
def test_mixed_damage_is_restored(restored, subject):
    case = restored[subject, "mixed"]
    error, before = case["restored"] - case["clean"], case["damaged"] - case["clean"]
    assert decibel(before) < 23.5  # the damage is as severe as it should be
    # What the best published network reaches on average on such damage. The shipped one is above 30.5 and 28.0 dB on
    # average (docs/studies/results.md); a single subject scatters by 0.6 dB around it.
    assert decibel(error) > 29.3
    assert decibel(error[case["head"]]) > 26.8


@pytest.mark.parametrize("subject", TEST_SUBJECTS)
def test_an_undamaged_head_is_left_alone(restored, subject):
    case = restored[subject, "clean"]
    error = case["restored"] - case["clean"]
    assert decibel(error) > 40
    assert decibel(error[case["head"]]) > 38


@pytest.mark.parametrize("subject", TEST_SUBJECTS)
def test_holes_in_a_noisy_head_are_filled(restored, subject):
    """Noise brings negative values; they must not move the zero of the intensity scale, by which holes are known."""
    case = restored[subject, "mixed"]
    hole = (case["damaged"] == 0) & (case["clean"] > 0.3)
    assert hole.sum() > 1000
    assert np.abs(case["restored"] - case["clean"])[hole].mean() < 0.4 * case["clean"][hole].mean()


@pytest.fixture(scope="module")
def template() -> nib.Nifti1Image:
    """A brain that anyone has: the average of 152, in the package nilearn; of another scanner than the training's."""
    image = datasets.load_mni152_template(resolution=2)
    values = image.get_fdata()
    return nib.Nifti1Image((values / np.percentile(values, 99.5)).astype(np.float32), image.affine)


@pytest.mark.parametrize(("noise", "gain"), [(0.04, 3.5), (0.08, 5.0)])
def test_noise_is_taken_off_a_brain_that_anyone_has(template, noise, gain):
    clean, rng = template.get_fdata(), np.random.default_rng(0)
    real, imaginary = noise * rng.standard_normal((2, *clean.shape))
    noisy = np.hypot(clean + real, imaginary)
    restored = restore(nib.Nifti1Image(noisy.astype(np.float32), template.affine), device="cpu").get_fdata()
    inside = clean > 0.1
    errors = [np.mean((one - clean)[inside] ** 2) for one in (noisy, restored)]
    assert 10 * np.log10(errors[0] / errors[1]) > gain


def test_a_sound_brain_that_anyone_has_comes_back_as_it_was(template):
    np.testing.assert_array_equal(restore(template, device="cpu").get_fdata(), template.get_fdata())
