# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from scripts.anomaly.bids.dataset import BidsSubject, select_subjects


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Empty files: nothing is read."""
    names = (
        "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_run-2_T1w.nii", "sub-01/anat/sub-01_T2w.nii.gz",
        "sub-01/anat/._sub-01_T1w.nii.gz", "sub-01/func/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_T1w.json",
        "sub-02/ses-a/anat/sub-02_ses-a_T1w.nii.gz", "sub-02/ses-b/anat/sub-02_ses-b_T1w.nii.gz",
        "sub-03/ses-b/dwi/sub-03_ses-b_dwi.nii.gz", "derivatives/x/sub-09/anat/sub-09_T1w.nii.gz", "sub-10.html",
    )  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "sub-04").symlink_to("nothing")
    (tmp_path / "dataset_description.json").write_text("{}")
    return tmp_path


def test_all_t1w_images_are_found_and_nothing_else(dataset):
    assert select_subjects(dataset) == [
        BidsSubject("01", {"sub-01/anat": ["sub-01_T1w.nii.gz", "sub-01_run-2_T1w.nii"]}),
        BidsSubject(
            "02",
            {
                "sub-02/ses-a/anat": ["sub-02_ses-a_T1w.nii.gz"],
                "sub-02/ses-b/anat": ["sub-02_ses-b_T1w.nii.gz"],
            },
        ),
        BidsSubject("03", {}),
        BidsSubject("04", {}),
    ]


def test_an_image_that_was_not_fetched_is_an_image(dataset):
    (dataset / "sub-01/anat/sub-01_run-3_T1w.nii.gz").symlink_to("annex")
    (subject,) = select_subjects(dataset, ["01"])
    assert "sub-01_run-3_T1w.nii.gz" in subject.images["sub-01/anat"]


@pytest.mark.parametrize(
    ("participants", "sessions", "chosen"),
    [
        (["sub-02", "01", "02"], [], ["01", "02"]),
        ([], ["ses-b"], ["02", "03", "04"]),  # 03 and 04 have no image at all, which is told
        (["02"], ["a", "ses-b"], ["02"]),
    ],
)
def test_labels_come_with_or_without_their_prefix(dataset, participants, sessions, chosen):
    assert [one.label for one in select_subjects(dataset, participants, sessions)] == chosen


def test_a_session_is_chosen(dataset):
    assert select_subjects(dataset, ["02"], ["b"])[0].images == {"sub-02/ses-b/anat": ["sub-02_ses-b_T1w.nii.gz"]}


@pytest.mark.parametrize(
    ("participants", "sessions", "message"),
    [
        (["1", "02", "sub-x"], [], r"has no participant 1, x; there are: 01, 02, 03, 04\."),
        (["02"], ["c"], r"has no session c; there are: a, b\."),
        (["01"], ["a"], r"has no session a; there are: none\."),
    ],
)
def test_an_unknown_label_is_named_with_those_that_exist(dataset, participants, sessions, message):
    with pytest.raises(ValueError, match=message):
        select_subjects(dataset, participants, sessions)


def test_of_many_labels_the_nearest_is_named(tmp_path):
    for number in range(100):
        (tmp_path / f"sub-c{number:03d}").mkdir()
    (tmp_path / "dataset_description.json").write_text("{}")
    with pytest.raises(ValueError, match=r"has no participant c0999; did you mean c09\d\?"):
        select_subjects(tmp_path, ["c0999"])


@pytest.mark.parametrize(
    ("description", "error", "message"),
    [
        (None, FileNotFoundError, "is no BIDS dataset, it has no dataset_description.json"),
        ("[1]", ValueError, "dataset_description.json is damaged"),
        ("{", ValueError, "dataset_description.json is damaged"),
        ("{}", ValueError, "has no subject"),
    ],
)
def test_a_folder_that_is_no_dataset_is_refused(tmp_path, description, error, message):
    if description is not None:
        (tmp_path / "dataset_description.json").write_text(description)
    with pytest.raises(error, match=message):
        select_subjects(tmp_path)


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no folder"):
        select_subjects(tmp_path / "nowhere")
