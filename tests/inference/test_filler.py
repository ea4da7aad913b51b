# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from scripts import demo_head, fill
from scripts.__main__ import main
from scripts.inference.filler import Filler
from scripts.inference.tissue_guess import TissueGuess
from scripts.repairs import fill_smoothly
from tests.helpers.volume_files import affine, head, write_nifti


@pytest.fixture(scope="module")
def lesions() -> tuple[nib.Nifti1Image, np.ndarray]:
    """A synthetic head and some holes deep in it."""
    image = demo_head()
    index = np.stack(np.meshgrid(*[np.arange(size) for size in image.shape], indexing="ij"), axis=-1)
    mask = np.zeros(image.shape, dtype=bool)
    for centre in ((38, 60, 60), (60, 72, 55), (45, 45, 62), (58, 50, 70), (36, 75, 66)):
        mask |= ((index - np.array(centre)) ** 2).sum(-1) < 5**2
    return image, mask


def test_a_refinement_replaces_masked_voxels_alone() -> None:
    inputs = MetaTensor(torch.rand(1, 2, 16, 16, 16), affine=torch.eye(4))
    inputs[:, 1] = 0
    inputs[:, 1, 5:9, 5:9, 5:9] = 1
    holes = inputs.as_tensor()[:, 1:] > 0
    seen = []

    def refinement(start: MetaTensor, mask: MetaTensor) -> torch.Tensor:
        seen.append(start.as_tensor())
        return torch.full_like(start.as_tensor(), 7.0)

    filled = torch.as_tensor(Filler(refinement)(inputs))
    assert (filled[holes] == 7).all()
    assert torch.equal(filled[~holes], inputs.as_tensor()[:, :1][~holes])
    torch.testing.assert_close(seen[0][0], fill_smoothly(inputs.as_tensor()[0, 0], holes[0, 0]))
    assert torch.equal(torch.as_tensor(Filler()(inputs))[0], torch.where(holes[0], seen[0], filled[0]))


def test_the_guess_is_nearer_to_the_head_than_the_smooth_filling(lesions) -> None:
    image, mask = lesions
    clean = image.get_fdata()
    start = MetaTensor(
        fill_smoothly(torch.from_numpy(clean), torch.from_numpy(mask)).float()[None], affine=image.affine
    )
    guess = TissueGuess()(start, MetaTensor(torch.from_numpy(mask)[None], affine=image.affine))
    errors = [np.square(np.asarray(one)[0] - clean)[mask].mean() for one in (start, guess)]
    assert errors[1] < errors[0]


def test_orientation_scale_and_offset_do_not_matter(lesions) -> None:
    image, mask = lesions
    data = np.where(mask, 0, image.get_fdata())
    expected = fill(data, mask, image.affine).get_fdata()
    turn = nib.orientations.axcodes2ornt("PSL")
    turned = [
        one.as_reoriented(nib.orientations.ornt_transform(nib.io_orientation(image.affine), turn))
        for one in (
            nib.Nifti1Image(0.02 * data + 3, image.affine),
            nib.Nifti1Image(mask.astype(np.uint8), image.affine),
        )
    ]
    result = nib.as_closest_canonical(fill(*turned)).get_fdata()
    np.testing.assert_allclose((result - 3) / 0.02, expected, atol=2)


def test_python_and_command_agree(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    volume, mask = head().astype(np.int16), np.zeros((17, 22, 19), dtype=np.uint8)
    mask[7:10, 9:13, 8:12] = 1
    image = write_nifti(tmp_path / "in/a.nii.gz", volume, affine("PSR", tilt=0.1))
    lesion = write_nifti(tmp_path / "m.nii.gz", mask, affine("PSR", tilt=0.1))
    assert main(["fill", "in", "out", "--mask", "m.nii.gz", "--device", "cpu"]) == 0
    written = nib.load("out/a_filled.nii.gz")
    ways = {
        "paths": fill(image, str(lesion)),
        "images": fill(nib.load(image), nib.load(lesion)),
        "arrays": fill(volume, mask > 0, affine("PSR", tilt=0.1)),
        "array of an image": fill(image, mask),
    }
    for name, filled in ways.items():
        assert filled.get_data_dtype() == np.int16, name
        np.testing.assert_array_equal(np.asarray(filled.dataobj), np.asarray(written.dataobj), err_msg=name)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((17, 22, 19)), "covers 100 % of the image"),
        (np.zeros((17, 22)), "its mask: it is of shape"),
        (np.zeros((17, 22, 19), dtype=complex), "complex128: real numbers are needed"),
    ],
)
def test_a_mask_of_no_use_is_a_value_error(mask: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fill(head(), mask, affine())
