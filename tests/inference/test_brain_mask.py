# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from scripts.inference.brain_mask import BrainMasker, largest_filled


@pytest.fixture(scope="module")
def masker() -> BrainMasker:
    return BrainMasker(device="cpu")


@pytest.fixture(scope="module")
def template() -> tuple[MetaTensor, np.ndarray]:
    """The template of nilearn at 2 mm, a brain without skull, and its mask."""
    from nilearn import datasets

    image, mask = datasets.load_mni152_template(resolution=2), datasets.load_mni152_brain_mask(resolution=2)
    return volume(image), np.asarray(mask.dataobj) > 0


def volume(image: nib.Nifti1Image) -> MetaTensor:
    return MetaTensor(torch.from_numpy(image.get_fdata(dtype=np.float32))[None], affine=torch.tensor(image.affine))


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * float((first & second).sum()) / float(first.sum() + second.sum())


def test_the_template_has_its_mask_on_its_grid(masker, template):
    head, expected = template
    mask = masker(head)
    assert mask.dtype == torch.bool
    assert torch.equal(mask.affine, head.affine)
    assert dice(mask.numpy()[0], expected) > 0.98


def test_orientation_and_unit_do_not_matter(masker, template):
    head, expected = template
    turned = MetaTensor(1e4 * head.as_tensor().permute(0, 3, 1, 2).flip(2), affine=head.affine.clone())
    columns = head.affine[:, [2, 0, 1, 3]].clone()
    columns[:, 3] += (head.shape[1] - 1) * columns[:, 1]
    columns[:, 1] *= -1
    turned.affine = columns
    mask = masker(turned).numpy()[0]
    assert dice(np.flip(mask, 1).transpose(1, 2, 0), expected) > 0.98


def test_a_ball_and_air_show_no_brain(masker):
    grid = np.indices((64, 64, 64)) - 31.5
    ball = (np.sqrt((grid**2).sum(axis=0)) < 9) * np.random.default_rng(0).uniform(0.5, 1, grid.shape[1:])
    with pytest.raises(ValueError, match="no brain was found"):
        masker(MetaTensor(torch.from_numpy(ball)[None].float(), affine=torch.diag(torch.tensor([2.0, 2, 2, 1]))))


def test_real_heads(masker, real_data):
    from scripts.anatomy.brain_mask import brain_from_labels

    scores = []
    for image in sorted((real_data / "ixi_hh_2mm" / "T1").glob("*.nii.gz"))[::40]:
        labels = real_data / "ixi_hh_2mm" / "labels" / image.name.replace(".nii.gz", "_DLMUSE.nii.gz")
        mask = masker(volume(nib.load(image))).numpy()[0]
        scores.append(dice(mask, brain_from_labels(np.asarray(nib.load(labels).dataobj))))
    assert np.mean(scores) > 0.98


def test_only_the_largest_part_is_kept_and_filled():
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[1:6, 1:6, 1:6] = True
    mask[3, 3, 3] = False
    mask[8, 8, 8] = True
    expected = np.zeros_like(mask)
    expected[1:6, 1:6, 1:6] = True
    assert np.array_equal(largest_filled(mask), expected)
    assert not largest_filled(np.zeros((3, 3, 3), dtype=bool)).any()
