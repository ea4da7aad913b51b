# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from scripts.data.copies import find_copies, persons
from scripts.data.examine import ExaminedImage, examine
from scripts.data.image_folder import ImageFile
from tests.helpers.volume_files import affine, head, write_nifti

MATRIX = affine(spacing=(4.0, 4.0, 4.0))
HEAD = head((20, 22, 18))


def _examined(path: Path, subject: str = "") -> ExaminedImage:
    return examine(ImageFile(path, subject or path.stem), "IPR", "nonzero_count", path.with_name("mask.nii.gz"))


def _rescaled(path: Path, volume: np.ndarray, dtype: str) -> Path:
    image = nib.Nifti1Image(volume, MATRIX)
    image.set_data_dtype(dtype)
    nib.save(image, path)
    return path


def _turned(path: Path) -> Path:
    nib.save(nib.as_closest_canonical(nib.Nifti1Image(HEAD, MATRIX)), path)
    return path


COPIES = {
    "uncompressed": lambda folder: write_nifti(folder / "c.nii", HEAD, MATRIX),
    "float64": lambda folder: write_nifti(folder / "c.nii.gz", HEAD.astype(np.float64), MATRIX),
    "int16 with a slope": lambda folder: _rescaled(folder / "c.nii.gz", HEAD, "int16"),
    "turned": lambda folder: _turned(folder / "c.nii.gz"),
    "another origin": lambda folder: write_nifti(folder / "c.nii", HEAD, MATRIX + np.eye(4, k=3) * 7),
}


@pytest.mark.parametrize("make", COPIES.values(), ids=COPIES)
def test_copies_are_found_however_stored(tmp_path: Path, make):
    first = _examined(write_nifti(tmp_path / "a.nii.gz", HEAD, MATRIX))
    other = _examined(write_nifti(tmp_path / "b.nii.gz", head((20, 22, 18), 1), MATRIX))
    assert find_copies([first, other, _examined(make(tmp_path))]) == {2: 0}
    assert find_copies([other, _examined(make(tmp_path)), first]) == {2: 1}


@pytest.mark.parametrize("change", ["noise", "offset", "lesion", "scale"])
def test_heads_that_differ_a_little_are_no_copies(tmp_path: Path, change: str):
    volume = HEAD.copy()
    if change == "noise":
        volume += np.random.default_rng(0).normal(0, 10, HEAD.shape).astype(np.float32)
    elif change == "offset":
        volume += 1
    elif change == "lesion":
        volume[9:12, 9:12, 9:12] += 100
    else:
        volume *= 1.01
    paths = [write_nifti(tmp_path / f"{name}.nii", v, MATRIX) for name, v in (("a", HEAD), ("b", volume))]
    assert find_copies([_examined(path) for path in paths]) == {}


def test_chains_of_copies_lead_to_the_first():
    blocks = np.linspace(0, 1, 8, dtype=np.float32)
    one = ExaminedImage(ImageFile(Path("a"), "a"), None, None, False, (2, 2, 2), (1, 1, 1), np.ones(2), "", blocks, {})
    rows = [replace(one, blocks=blocks + shift) for shift in (0.00016, 5, 0.00008, 0)]
    assert find_copies(rows) == {2: 0, 3: 0}


def test_a_head_in_common_makes_two_names_one_person():
    def of(subject: str) -> ExaminedImage:
        image = ImageFile(Path(subject), subject)
        return ExaminedImage(image, None, None, False, (2, 2, 2), (1, 1, 1), np.ones(2), "", np.ones(8, np.float32), {})

    examined = [of(name) for name in ("anna", "bert", "carl", "dora", "sub-dora", "emil")]
    assert persons(examined, {2: 0, 1: 2}) == {
        "anna": "anna", "bert": "anna", "carl": "anna", "dora": "dora", "sub-dora": "dora", "emil": "emil",
    }  # fmt: skip
