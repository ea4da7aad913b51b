# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest

from scripts.data.image_folder import ImageFile, find_images


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return root


def _subjects(root: Path, **options: str) -> dict[str, str]:
    return {image.path.relative_to(root).as_posix(): image.subject for image in find_images(root, **options).images}


def _files(images: list[ImageFile]) -> tuple[list[tuple[Path, ...]], list[tuple[Path, ...]]]:
    return [image.masks for image in images], [image.labels for image in images]


def test_ixi_layout(tmp_path: Path):
    _touch(
        tmp_path, "T1/IXI012-HH-1211_T1.nii.gz", "IXI002-Guys-0828-T1.nii.gz", "labels/IXI012-HH-1211_T1_DLMUSE.nii.gz"
    )
    first, second = find_images(tmp_path).images
    assert (first.subject, first.site, first.session, first.labels) == ("IXI002", "Guys", "0828", ())
    assert (second.subject, second.site, second.session) == ("IXI012", "HH", "1211")
    assert second.labels == (tmp_path / "labels/IXI012-HH-1211_T1_DLMUSE.nii.gz",)


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
    images = find_images(tmp_path).images
    assert [(image.subject, image.session) for image in images] == [
        ("sub-01", "ses-a"),
        ("sub-01", "ses-b"),
        ("sub-02", None),
    ]
    masks, labels = ([[file.name for file in files] for files in kind] for kind in _files(images))
    assert masks == [["sub-01_ses-a_desc-brain_mask.nii.gz"], [], []]
    assert labels == [[], [], ["sub-02_acq-mprage_dseg.nii.gz"]]


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
    last = find_images(tmp_path).images[-1]
    assert (last.labels, last.masks) == ((tmp_path / "B/t1_seg.nii",), (tmp_path / "B/t1_mask.nii",))


def test_same_bids_name_in_two_folders_stays_one_subject(tmp_path: Path):
    _touch(
        tmp_path, "baseline/sub-7_T1w.nii", "followup/sub-7_T1w.nii", "baseline/IXI003-IOP-1.nii", "x/IXI003-IOP-1.nii"
    )
    assert set(_subjects(tmp_path).values()) == {"sub-7", "IXI003"}


def test_label_and_mask_folders_elsewhere(tmp_path: Path):
    heads = _touch(tmp_path / "heads", "p1_T1.nii.gz", "p10_T1.nii.gz")
    other = _touch(tmp_path / "other", "p1.nii.gz", "p10_parcels.nii.gz", "p100.nii.gz")
    images = find_images(heads, labels=other, masks=other).images
    assert [[file.name for file in image.labels] for image in images] == [["p1.nii.gz"], ["p10_parcels.nii.gz"]]
    assert [image.masks for image in images] == [image.labels for image in images]


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
    (image,) = find_images(tmp_path, leave_out=tmp_path / "out").images
    assert (image.subject, image.masks) == ("a", ())


def _pairs(root: Path, **options: Path) -> dict[str, tuple[list[str], list[str]]]:
    found = find_images(root, **options).images
    return {i.path.name: ([p.name for p in i.labels], [p.name for p in i.masks]) for i in found}


CONTRASTS = ("t1", "t1ce", "t2", "flair")


@pytest.mark.parametrize(
    "form",
    [
        "BraTS20_Training_00{}/BraTS20_Training_00{}_{}.nii",
        "BraTS-GLI-0000{}-000/BraTS-GLI-0000{}-000-{}.nii.gz",
        "P{}/P{}_{}.nii.gz",
        "case{}_x{}_{}.mha",
    ],
)
def test_one_contrast_of_each_patient(tmp_path: Path, form: str):
    """BRATS 1 and uni-medical/SAM-Med3D 47: each contrast of a patient became a patient of its own."""
    new = {"t1": "t1n", "t1ce": "t1c", "t2": "t2w", "flair": "t2f"} if "GLI" in form else {}
    _touch(tmp_path, *[form.format(n, n, new.get(c, c)) for n in range(1, 6) for c in (*CONTRASTS, "seg")])
    found = find_images(tmp_path)
    assert len({image.subject for image in found.images}) == len(found.images) == 5
    assert all("t1" in image.path.stem and "t1c" not in image.path.stem for image in found.images)
    assert len(found.other_images) == 15
    assert all(reason.endswith("not T1-weighted.") for reason in found.other_images.values())
    assert found.warnings == []
    is_brats = form.startswith("BraTS")
    assert len(found.not_used) == (5 if is_brats else 0)  # elsewhere the values decide, when they are read
    assert [len(image.labels) for image in found.images] == [0 if is_brats else 1] * 5


def test_brats_2023_renamed_its_contrasts(tmp_path: Path):
    """mobaidoctor/med-ddpm 20: t1, t1ce, t2 and flair are called t1n, t1c, t2w and t2f since 2023."""
    names = [f"BraTS-GLI-00001-00{t}/BraTS-GLI-00001-00{t}-{c}.nii.gz" for t in (0, 1) for c in ("t1n", "t1c", "t2f")]
    found = find_images(_touch(tmp_path, *names))
    assert [(image.subject, image.session) for image in found.images] == [
        ("BraTS-GLI-00001", "000"),
        ("BraTS-GLI-00001", "001"),
    ]


def test_what_stands_beside_t1_is_another_contrast(tmp_path: Path):
    """icon-lab/FDB 5: the contrasts of a patient are separate files, linked by the patient alone."""
    _touch(
        tmp_path, "p1_T1.nii", "p1_FA.nii", "p1_T1_brain.nii", "p2_ses-1.nii", "p2_ses-2_T1.nii", "q_T1.nii", "q.nii"
    )
    _touch(tmp_path, "t1.nii", "x/t1.nii", "x/fa.nii", "x/brain.nii", "p10_z.nii")
    found = find_images(tmp_path)
    assert list(found.other_images) == ["p1_FA.nii", "x/fa.nii"]
    assert {image.subject for image in found.images} == {"p1", "p2", "q", "t1", "x", "p10_z"}


@pytest.mark.parametrize(
    ("names", "images", "left"),
    [
        ({"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}, ["CASE_1_0001.nii.gz", "CASE_2_0001.nii.gz"], 6),
        ({"0": "MRI"}, ["CASE_1_0000.nii.gz", "CASE_2_0000.nii.gz"], 0),
    ],
)
def test_channels_of_nnunet(tmp_path: Path, names: dict[str, str], images: list[str], left: int):
    """MIC-DKFZ/nnUNet 208 and 2653: the contrasts of a case are called _0000, _0001, ..."""
    _touch(tmp_path, *[f"imagesTr/CASE_{n}_000{c}.nii.gz" for n in (1, 2) for c in names])
    _touch(tmp_path, *[f"labelsTr/CASE_{n}.nii.gz" for n in (1, 2)])
    (tmp_path / "dataset.json").write_text(json.dumps({"channel_names": names}))
    found = find_images(tmp_path)
    assert [image.path.name for image in found.images] == images
    assert [image.subject for image in found.images] == ["CASE_1", "CASE_2"]
    assert [[path.name for path in image.labels] for image in found.images] == [["CASE_1.nii.gz"], ["CASE_2.nii.gz"]]
    assert len(found.other_images) == left


def test_what_looks_like_a_channel_and_is_none(tmp_path: Path):
    _touch(
        tmp_path, "imagesTr/BRATS_001.nii.gz", "imagesTr/BRATS_002.nii.gz", "heads/case_0001.nii", "heads/case_0002.nii"
    )
    assert set(_subjects(tmp_path).values()) == {"BRATS_001", "BRATS_002", "case_0001", "case_0002"}


def test_channels_without_names_are_not_guessed(tmp_path: Path):
    _touch(tmp_path, *[f"imagesTr/CASE_{n}_000{c}.nii.gz" for n in (1, 2) for c in (0, 1)])
    with pytest.raises(FileNotFoundError, match=r"Found: 4 x it is a channel of a contrast that no channel_names"):
        find_images(tmp_path)
    os.mkfifo(tmp_path / "dataset.json")  # which is not waited for
    with pytest.raises(FileNotFoundError, match=r"Found: 4 x"):
        find_images(tmp_path)


def test_only_masks_of_the_brain_and_of_the_image_itself(tmp_path: Path):
    """bids-specification 1008, fmriprep 2562: a mask may be of a lesion, in another space, or of a functional image."""
    _touch(
        tmp_path,
        "sub-1/anat/sub-1_T1w.nii.gz",
        "sub-1/anat/sub-1_label-L_desc-T1lesion_mask.nii.gz",
        "derivatives/a/sub-1/anat/sub-1_space-MNI152NLin2009cAsym_desc-brain_mask.nii.gz",
        "derivatives/a/sub-1/func/sub-1_task-rest_desc-brain_mask.nii.gz",
        "derivatives/a/sub-1/anat/sub-1_label-GM_probseg.nii.gz",
        "derivatives/b/sub-1/anat/sub-1_desc-brain_mask.nii.gz",
        "derivatives/b/sub-1/anat/sub-1_space-T1w_desc-aseg_dseg.nii.gz",
    )
    assert _pairs(tmp_path) == {
        "sub-1_T1w.nii.gz": (["sub-1_space-T1w_desc-aseg_dseg.nii.gz"], ["sub-1_desc-brain_mask.nii.gz"])
    }
    assert list(find_images(tmp_path).not_used) == ["sub-1/anat/sub-1_label-L_desc-T1lesion_mask.nii.gz"]


def test_lesions_are_no_masks_even_in_a_folder_of_masks(tmp_path: Path):
    heads = _touch(tmp_path / "heads", "p1_T1.nii", "p2_T1.nii")
    _touch(tmp_path / "masks", "p1_lesion_mask.nii", "p2_mask.nii")
    assert _pairs(heads, masks=tmp_path / "masks") == {"p1_T1.nii": ([], []), "p2_T1.nii": ([], ["p2_mask.nii"])}


def test_files_without_a_name_of_their_own_belong_to_their_folder(tmp_path: Path):
    _touch(tmp_path, *[f"{s}/mri/{f}.nii.gz" for s in ("anna", "bert") for f in ("T1", "aseg", "brainmask")])
    found = find_images(tmp_path).images
    assert [image.subject for image in found] == ["anna", "bert"]
    assert [image.labels[0].relative_to(tmp_path).as_posix() for image in found] == [
        "anna/mri/aseg.nii.gz",
        "bert/mri/aseg.nii.gz",
    ]


def test_labels_of_short_and_of_generic_names(tmp_path: Path):
    _touch(tmp_path, "a.nii", "a_seg.nii", "anna/brain.nii", "anna/aseg.nii", "anna/ribbon.nii")
    assert _pairs(tmp_path) == {"a.nii": (["a_seg.nii"], []), "brain.nii": (["aseg.nii", "ribbon.nii"], [])}


def test_labels_and_masks_in_folders_of_their_own(tmp_path: Path):
    _touch(
        tmp_path, *[f"{f}/{p}/{n}.nii" for p in "AB" for f, n in (("images", "x"), ("labels", "x"), ("masks", "x_m"))]
    )
    found = find_images(tmp_path).images
    assert [(image.subject, image.labels, image.masks) for image in found] == [
        (p, (tmp_path / f"labels/{p}/x.nii",), (tmp_path / f"masks/{p}/x_m.nii",)) for p in "AB"
    ]


def test_label_tree_of_the_same_shape(tmp_path: Path):
    heads = _touch(tmp_path / "h", "A/T1/t1.nii", "B/T1/t1.nii")
    _touch(tmp_path / "l", "A/t1_seg.nii", "B/t1_seg.nii")
    found = find_images(heads, labels=tmp_path / "l").images
    assert [image.labels for image in found] == [(tmp_path / f"l/{s}/t1_seg.nii",) for s in ("A", "B")]


def test_derivatives_and_sources_are_no_raw_images(tmp_path: Path):
    _touch(
        tmp_path,
        "sub-1/anat/sub-1_T1w.nii.gz",
        "derivatives/x/sub-1/anat/sub-1_desc-preproc_T1w.nii.gz",
        "sourcedata/sub-1/t1.nii.gz",
        "Derivatives/t1.nii.gz",
    )
    found = find_images(tmp_path)
    assert [image.path.name for image in found.images] == ["sub-1_T1w.nii.gz"]
    assert len(found.other_images) == 3
    derived = find_images(tmp_path / "derivatives/x")  # given as the folder itself, it is used
    assert [image.path.name for image in derived.images] == ["sub-1_desc-preproc_T1w.nii.gz"]


def test_links_of_a_datalad_set(tmp_path: Path):
    """bids-standard/pybids 631: what is not fetched is a link that leads to nothing."""
    _touch(tmp_path / "set", "sub-1/anat/sub-1_T1w.nii.gz", ".git/annex/objects/key.nii.gz")
    for name, target in {
        "sub-2/anat/sub-2_T1w.nii.gz": "../../.git/annex/objects/gone",
        "sub-3/anat/sub-3_T1w.nii.gz": "../../.git/annex/objects/key.nii.gz",
        "derivatives/m/sub-1/anat/sub-1_desc-brain_mask.nii.gz": "gone",
        "sub-4/anat/sub-4_T1w.json": "gone",
    }.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).symlink_to(target)
    found = find_images(tmp_path / "set")
    assert [image.subject for image in found.images] == ["sub-1", "sub-3"]
    assert sorted(found.unreadable) == [
        "derivatives/m/sub-1/anat/sub-1_desc-brain_mask.nii.gz",
        "sub-2/anat/sub-2_T1w.nii.gz",
    ]
    assert all("datalad get" in reason for reason in found.unreadable.values())


def test_linked_folders_are_followed(tmp_path: Path):
    """bids-standard/pybids 1086: a subject that is a link to a folder was not seen."""
    _touch(tmp_path / "real", "sub-1/anat/sub-1_T1w.nii.gz")
    (tmp_path / "set").mkdir()
    (tmp_path / "set/sub-1").symlink_to(tmp_path / "real/sub-1")
    (tmp_path / "set/sub-1/again").symlink_to(tmp_path / "real/sub-1")  # a circle
    assert list(_subjects(tmp_path / "set").values()) == ["sub-1"]


def test_what_macos_leaves_is_hidden(tmp_path: Path):
    """OpenNeuroOrg/openneuro 2520: ._sub-1_T1w.nii.gz lies beside the image in many data sets."""
    _touch(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", "sub-1/anat/._sub-1_T1w.nii.gz", "__MACOSX/._x.nii.gz")
    assert list(_subjects(tmp_path).values()) == ["sub-1"]


def test_pipes_and_sockets_are_named_and_not_opened(tmp_path: Path):
    _touch(tmp_path, "a_T1.nii")
    os.mkfifo(tmp_path / "b_T1.nii")
    (tmp_path / "c_T1.nii").symlink_to("b_T1.nii")
    listener = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(tmp_path)  # the name of a socket is short
    try:
        listener.bind("d_T1.nii")
    finally:
        os.chdir(here)
        listener.close()
    reasons = find_images(tmp_path).unreadable
    assert [reasons[f"{name}_T1.nii"] for name in "bcd"] == [
        "it is a named pipe, no file.",
        "it is a named pipe, no file.",
        "it is a socket, no file.",
    ]


def test_other_formats_are_named(tmp_path: Path):
    _touch(
        tmp_path, "a.nii", "b.mgz", "c.hdr", "c.img", "d.img", "e.mnc", "f/1.dcm", "g.nii.bz2", "notes.txt", "h.nhdr"
    )
    assert sorted(find_images(tmp_path).other_images) == [
        "d.img", "e.mnc", "f/1.dcm", "g.nii.bz2",
    ]  # fmt: skip
    assert sorted(image.path.name for image in find_images(tmp_path).images) == ["a.nii", "b.mgz", "c.hdr", "h.nhdr"]


def test_contradictions_are_left_out(tmp_path: Path):
    _touch(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", "sub-2/anat/sub-1_T1w.nii.gz")
    found = find_images(tmp_path)
    assert len(found.images) == 1
    assert found.unreadable == {
        "sub-2/anat/sub-1_T1w.nii.gz": "its name says sub-1, its folder sub-2: rename the one that is wrong."
    }


def test_time_grows_with_the_number_of_files(tmp_path: Path):
    """All names the same, so that any search among namesakes shows; 8,000 files took minutes once."""
    seconds = []
    for count in (200, 3200):
        root = _touch(tmp_path / str(count), *[f"{n}/{f}.nii" for n in range(count) for f in ("t1", "t1_seg")])
        start = time.process_time()
        assert all(image.labels for image in find_images(root).images)
        seconds.append(time.process_time() - start)
    assert seconds[1] < 64 * seconds[0]  # 16 times the files; quadratic would be 256 times


def test_nothing_found_names_the_pattern(tmp_path: Path):
    _touch(
        tmp_path,
        "plain/readme.txt",
        "plain/labels/a.nii.gz",
        "bids/sub-1/anat/sub-1_T2w.nii.gz",
        "heads/a.nii",
        "no/b.nii",
    )
    with pytest.raises(FileNotFoundError, match=r"no image in .*plain: looked for \*.nii, \*.nii.gz, \*.hdr, "):
        find_images(tmp_path / "plain")
    with pytest.raises(FileNotFoundError, match=r"no image in .*bids: .* Found: 1 x it is T2w, not T1-weighted"):
        find_images(tmp_path / "bids")
    with pytest.raises(FileNotFoundError, match=r"the image folder .*absent does not exist"):
        find_images(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"no mask file in .*no belongs to an image .* for example a\*.nii.gz"):
        find_images(tmp_path / "heads", masks=tmp_path / "no")


def test_images_below_the_results_are_found(tmp_path: Path):
    _touch(tmp_path, "data/images/a.nii.gz")
    for results in ("data", "data/images"):
        (image,) = find_images(tmp_path / "data/images", leave_out=tmp_path / results).images
        assert image.subject == "a"
