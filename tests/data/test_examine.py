# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.data.examine import examine
from scripts.data.image_folder import ImageFile
from tests.helpers.volume_files import affine, head, write_nifti

MATRIX = affine(spacing=(4.0, 4.0, 4.0))
HEAD = head((20, 22, 18))


def _image(folder: Path, labels: np.ndarray | None = None) -> ImageFile:
    path = write_nifti(folder / "a.nii", HEAD, MATRIX)
    files = () if labels is None else (write_nifti(folder / "a_seg.nii", labels.astype(np.uint8), MATRIX),)
    return ImageFile(path, "a", labels=files)


def test_labels_are_judged_whatever_the_rule(tmp_path: Path):
    for labels, used in ((HEAD > 0, True), (np.where(HEAD > 600, 4, 2 * (HEAD > 0)), False)):
        found = examine(_image(tmp_path, labels), "IPR", "nonzero_count", tmp_path / "m.nii.gz")
        assert (found.label is not None, bool(found.not_used)) == (used, not used)
        assert (found.mask, found.estimated) == (None, False)
    assert not (tmp_path / "m.nii.gz").exists()


def test_the_estimate_takes_over_and_says_what_was_not_used(tmp_path: Path):
    image = _image(tmp_path, np.where(HEAD > 600, 4, 2 * (HEAD > 0)))

    def no_head(volume):
        raise ValueError("no brain was found.")

    found = examine(image, "IPR", "brain", tmp_path / "m.nii.gz", find_brain=lambda volume: volume > 0)
    assert (found.estimated, found.mask, found.label) == (True, tmp_path / "m.nii.gz", None)
    with pytest.raises(ValueError, match=r"^no brain was found. Not used: a_seg.nii, its values 0, 2, 4 are neither"):
        examine(image, "IPR", "brain", tmp_path / "m.nii.gz", find_brain=no_head)


def test_a_name_too_long_for_its_mask_is_the_fault_of_that_image(tmp_path: Path):
    with pytest.raises(ValueError, match="File name too long"):
        examine(_image(tmp_path, HEAD > 0), "IPR", "brain", tmp_path / f"{'x' * 250}_mask.nii.gz")
