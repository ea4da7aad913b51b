# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from scripts.inference.masks import with_masks
from scripts.inference.volumes import find_volumes


def paired(folder: Path, images: list[str], masks: list[str], mask_dir: str = "masks") -> dict[str, str]:
    """Mask, relative to ``mask_dir``, or error of each image; the files are empty."""
    for name in [*(f"in/{one}" for one in images), *(f"{mask_dir}/{one}" for one in masks)]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    items = find_volumes(folder / "in", folder / "out", description="filled")
    given = folder / mask_dir
    items = with_masks(items, str(given), str(folder / "in"))
    return {one["name"]: one["error"] or Path(one["mask"]).relative_to(given).as_posix() for one in items}


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("a/head.nii.gz", "a/head.nii.gz"),
        ("a/head.nii.gz", "a/head.mha"),
        ("a/head.nii.gz", "head_mask.nii"),
        ("head.mgz", "head_lesion.nii.gz"),
        ("head.nii", "b/head_lesion_mask.nii.gz"),
        ("sub-1/anat/sub-1_T1w.nii.gz", "sub-1/anat/sub-1_label-lesion_mask.nii.gz"),
        ("sub-1/anat/sub-1_T1w.nii.gz", "sub-1/anat/sub-1_T1w_label-lesion_roi.nii.gz"),
        ("sub-1/anat/sub-1_ses-2_T1w.nii.gz", "flat/sub-1_ses-2_space-orig_desc-lesion_mask.nii.gz"),
        ("sub-1_space-MNI_T1w.nii.gz", "sub-1_space-MNI_label-L_desc-T1lesion_mask.nii.gz"),
        ("sub-1_desc-n4_T1w.nii.gz", "sub-1_desc-n4_T1w.nii.gz"),
    ],
)
def test_masks_are_found_by_their_names(tmp_path: Path, image: str, mask: str) -> None:
    others = ["other.nii.gz", "sub-2_label-lesion_mask.nii.gz", "sub-1_desc-brain_mask.nii.gz", "headless.nii"]
    assert paired(tmp_path, [image], [mask, *others]) == {image: mask}


def test_the_mask_of_the_same_subfolder_comes_first(tmp_path: Path) -> None:
    images = ["a/head.nii", "b/head.nii"]
    assert paired(tmp_path, images, images) == {name: name for name in images}


@pytest.mark.parametrize(
    ("image", "masks", "message"),
    [
        ("head.nii", ["heads.nii"], "it has no mask in "),
        ("sub-1_acq-hi_T1w.nii", ["sub-1_label-lesion_mask.nii"], "it has no mask in "),
        ("sub-1_T1w.nii", ["sub-1_desc-brain_mask.nii"], "it has no mask in "),
        ("head.nii", ["a/head.nii", "b/head.nii"], "it has several masks in "),
        ("sub-1_T1w.nii", ["sub-1_label-lesion_mask.nii", "sub-1_label-lesions_mask.nii"], "several masks"),
    ],
)
def test_an_image_without_its_one_mask_is_named(tmp_path: Path, image: str, masks: list[str], message: str) -> None:
    (error,) = paired(tmp_path, [image], masks).values()
    assert message in error
    assert "\n" not in error


def test_masks_beside_their_images_are_no_images(tmp_path: Path) -> None:
    assert paired(tmp_path, ["a.nii", "b.nii"], ["a_mask.nii"], "in") == {
        "a.nii": "a_mask.nii",
        "b.nii": f"it has no mask in {tmp_path / 'in'}.",
    }
    assert paired(tmp_path / "x", ["a.nii"], ["a.nii"], "in/masks") == {"a.nii": "a.nii"}


def test_one_mask_belongs_to_all_and_bad_places_are_refused(tmp_path: Path) -> None:
    for name in ("in/a.nii", "in/b.nii", "mask.nii"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "none").mkdir()

    def items():
        return find_volumes(tmp_path / "in", tmp_path / "out", description="filled")

    found = with_masks(items(), str(tmp_path / "mask.nii"), str(tmp_path / "in"))
    assert [Path(one["mask"]).name for one in found] == ["mask.nii", "mask.nii"]
    assert [one["output_mask"] for one in found] == ["a_filled_mask.nii.gz", "b_filled_mask.nii.gz"]
    for place, message in (("absent", "does not exist"), ("none", "has no mask")):
        with pytest.raises(FileNotFoundError, match=message):
            with_masks(items(), str(tmp_path / place), str(tmp_path / "in"))


def test_of_several_masks_of_an_image_that_of_the_lesion_counts(tmp_path: Path) -> None:
    masks = ["sub-1_label-GM_mask.nii", "sub-1_label-lesion_mask.nii", "sub-1_label-WM_mask.nii"]
    assert paired(tmp_path, ["sub-1_T1w.nii"], masks) == {"sub-1_T1w.nii": "sub-1_label-lesion_mask.nii"}
