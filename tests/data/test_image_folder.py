# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from scripts.data.image_folder import find_images


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def _subjects(root: Path, **options: str) -> dict[str, str]:
    return {image.path.relative_to(root).as_posix(): image.subject for image in find_images(root, **options)}


def test_ixi_layout(tmp_path: Path):
    _touch(
        tmp_path, "T1/IXI012-HH-1211_T1.nii.gz", "IXI002-Guys-0828-T1.nii.gz", "labels/IXI012-HH-1211_T1_DLMUSE.nii.gz"
    )
    first, second = find_images(tmp_path)
    assert (first.subject, first.site, first.session, first.label) == ("IXI002", "Guys", "0828", None)
    assert (second.subject, second.site, second.session) == ("IXI012", "HH", "1211")
    assert second.label == tmp_path / "labels/IXI012-HH-1211_T1_DLMUSE.nii.gz"


def test_bids_layout(tmp_path: Path):
    _touch(
        tmp_path,
        "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz",
        "sub-01/ses-b/anat/sub-01_ses-b_T1w.nii",
        "sub-01/ses-b/anat/sub-01_ses-b_T2w.nii.gz",
        "sub-01/ses-b/func/sub-01_ses-b_task-rest_bold.nii.gz",
        "sub-02/anat/sub-02_acq-mprage_T1w.nii.gz",
        "derivatives/seg/sub-01/ses-a/anat/sub-01_ses-a_desc-brain_mask.nii.gz",
        "derivatives/seg/sub-02/anat/sub-02_acq-mprage_dseg.nii.gz",
        "derivatives/x/sub-02/anat/sub-02_desc-preproc_T1w.nii.gz",
    )
    images = find_images(tmp_path)
    assert [(image.subject, image.session) for image in images] == [
        ("sub-01", "ses-a"),
        ("sub-01", "ses-b"),
        ("sub-02", None),
    ]
    assert [image.mask and image.mask.name for image in images] == ["sub-01_ses-a_desc-brain_mask.nii.gz", None, None]
    assert [image.label and image.label.name for image in images] == [None, None, "sub-02_acq-mprage_dseg.nii.gz"]


def test_plain_folder_of_any_depth_and_format(tmp_path: Path):
    _touch(tmp_path, "a_T1w.nii", "deep/er/b.nii.gz", "c-T1.mha", "d.nrrd", "notes.txt", ".hidden.nii", "._d.nrrd")
    assert set(_subjects(tmp_path).values()) == {"a", "b", "c", "d"}


@pytest.mark.parametrize("session", ["_ses-1", "_visit2", "-scan3", "_run-01", "_tp4", "_Session2"])
def test_sessions_of_a_plain_folder_are_of_one_subject(tmp_path: Path, session: str):
    _touch(tmp_path, f"anna{session}_T1w.nii.gz", "anna.nii.gz", "bert.nii.gz")
    assert set(_subjects(tmp_path).values()) == {"anna", "bert"}


def test_repeated_names_are_told_apart_by_the_first_folder(tmp_path: Path):
    _touch(tmp_path, "A/ses1/t1.nii", "A/ses2/t1.nii", "B/t1.nii", "B/t1_mask.nii", "B/t1_seg.nii")
    assert _subjects(tmp_path) == {"A/ses1/t1.nii": "A", "A/ses2/t1.nii": "A", "B/t1.nii": "B"}
    last = find_images(tmp_path)[-1]
    assert (last.label, last.mask) == (tmp_path / "B/t1_seg.nii", tmp_path / "B/t1_mask.nii")


def test_same_bids_name_in_two_folders_stays_one_subject(tmp_path: Path):
    _touch(
        tmp_path, "baseline/sub-7_T1w.nii", "followup/sub-7_T1w.nii", "baseline/IXI003-IOP-1.nii", "x/IXI003-IOP-1.nii"
    )
    assert set(_subjects(tmp_path).values()) == {"sub-7", "IXI003"}


def test_label_and_mask_folders_elsewhere(tmp_path: Path):
    heads = _touch(tmp_path / "heads", "p1_T1.nii.gz", "p10_T1.nii.gz")
    other = _touch(tmp_path / "other", "p1.nii.gz", "p10_parcels.nii.gz", "p100.nii.gz")
    images = find_images(heads, labels=other, masks=other)
    assert [image.label and image.label.name for image in images] == ["p1.nii.gz", "p10_parcels.nii.gz"]
    assert [image.mask for image in images] == [image.label for image in images]


def test_subject_pattern(tmp_path: Path):
    _touch(tmp_path, "P07/2020/scan_a.nii", "P07/2021/scan_b.nii", "P08/scan_c.nii")
    assert set(_subjects(tmp_path, subject_pattern=r"(P\d+)").values()) == {"P07", "P08"}
    with pytest.raises(
        ValueError, match=r"must find a group in the path of every image, but finds none in P08/scan_c.nii"
    ):
        find_images(tmp_path, subject_pattern=r"(P07)")
    with pytest.raises(ValueError, match=r"'\(' is no regular expression"):
        find_images(tmp_path, subject_pattern="(")


def test_results_in_the_image_folder_are_not_searched(tmp_path: Path):
    _touch(tmp_path, "a.nii", "out/masks/a_mask.nii.gz", "out/b.nii")
    (image,) = find_images(tmp_path, leave_out=tmp_path / "out")
    assert (image.subject, image.mask) == ("a", None)


def test_nothing_found_names_the_pattern(tmp_path: Path):
    _touch(
        tmp_path,
        "plain/readme.txt",
        "plain/labels/a.nii.gz",
        "bids/sub-1/anat/sub-1_T2w.nii.gz",
        "heads/a.nii",
        "no/b.nii",
    )
    with pytest.raises(FileNotFoundError, match=r"no image in .*plain: looked for \*.nii, \*.nii.gz, \*.mha, \*.nrrd"):
        find_images(tmp_path / "plain")
    with pytest.raises(FileNotFoundError, match=r"no image in .*bids: looked for sub-\*/\[ses-\*/\]anat/\*_T1w.nii"):
        find_images(tmp_path / "bids")
    with pytest.raises(FileNotFoundError, match=r"the image folder .*absent does not exist"):
        find_images(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"no mask file in .*no belongs to an image .* for example a\*.nii.gz"):
        find_images(tmp_path / "heads", masks=tmp_path / "no")


def test_images_below_the_results_are_found(tmp_path: Path):
    _touch(tmp_path, "data/images/a.nii.gz")
    for results in ("data", "data/images"):
        (image,) = find_images(tmp_path / "data/images", leave_out=tmp_path / results)
        assert image.subject == "a"
