# SPDX-License-Identifier: Apache-2.0
"""From files of region labels to slices of tissue classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.tissue import load_tissue_slices, slice_attributes, slice_levels
from scripts.tissue.slices import LEVELS, level_windows
from tests.helpers.toy_brain import toy_head, toy_slice, write_labels


def test_slices_are_axial_with_the_right_side_first(tmp_path: Path):
    head = np.stack([toy_slice(centre=(12.0, -8.0)), toy_slice(length=60.0), toy_slice(length=60.0)])
    head[1:, :, 24:][head[1:, :, 24:] == 1] = 3  # ventricles in the first columns alone
    file = write_labels(tmp_path / "a.nii.gz", np.pad(head, ((2, 3), (0, 0), (0, 0))))
    slices = load_tissue_slices([{"label": str(file), "subject": "a"}], progress=False)
    np.testing.assert_array_equal(slices.classes, head)
    np.testing.assert_allclose(slices.level, [1 / 6, 3 / 6, 5 / 6])
    assert slices.spacing_mm == (4.0, 4.0)
    assert slices.subject.tolist() == ["a"] * 3
    found = slice_attributes(slices.classes, slices.spacing_mm)
    assert found["centroid_anterior"][0] == pytest.approx(-12, abs=0.5)
    assert found["centroid_right"][0] == pytest.approx(8, abs=0.5)
    assert (found["ventricle_asymmetry"][1:] == 1).all()


def test_volumes_are_told_apart_and_small_slices_left_out(tmp_path: Path):
    rng = np.random.default_rng(0)
    items = []
    for subject in ("a", "b"):
        head = toy_head(rng, 9)
        head[0] = 0
        head[0, 28, 24] = 2  # one pixel
        items.append({"label": str(write_labels(tmp_path / f"{subject}.nii.gz", head)), "subject": subject})
    slices = load_tissue_slices(items, progress=False)
    assert [len(rows) for rows in slices.volumes()] == [8, 8]
    assert slices.index.tolist() == [*range(1, 9)] * 2
    np.testing.assert_allclose(slices.level[:8], slice_levels(9)[1:])


def test_unusable_items_are_named(tmp_path: Path):
    with pytest.raises(ValueError, match="subject a has no label file"):
        load_tissue_slices([{"subject": "a"}], progress=False)
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken\.nii\.gz could not be used: "):
        load_tissue_slices([{"subject": "a", "label": str(broken)}], progress=False)


def test_windows_of_levels_need_whole_heads():
    windows = level_windows(slice_levels(40))
    assert len(windows) == len(LEVELS)
    assert windows[0].tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"no slices near the levels 0\.05, 0\.10, .*whole heads"):
        level_windows([0.5, 0.6])


def test_windows_of_parts_of_heads_are_those_of_the_nearest_level():
    windows = level_windows([0.5, 0.6], whole_heads=False)
    assert [window.tolist() for window in (windows[0], windows[9], windows[-1])] == [[0], [0], [1]]
    with pytest.raises(ValueError, match="no slices near the levels"):
        level_windows([], whole_heads=False)


def test_a_real_head(real_data: Path):
    file = sorted((real_data / "ixi_hh_2mm" / "labels").glob("*.nii.gz"))[0]
    slices = load_tissue_slices([{"label": str(file), "subject": "a"}], progress=False)
    assert slices.classes.shape[1:] == (56, 48)
    found = slice_attributes(slices.classes, slices.spacing_mm, slices.level)
    assert 25 < len(slices) < 45
    assert 1.0e6 < found["brain_area"].sum() * 4 < 1.9e6  # mm3
    assert 3000 < found["ventricle_area"].sum() * 4 < 100_000
    assert found["centroid_anterior"][2] < found["centroid_anterior"][15]  # the cerebellum lies behind
    assert 0.9 < found["aspect"][15] < 1.6
