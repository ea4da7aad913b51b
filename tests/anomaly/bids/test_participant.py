# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from matplotlib.figure import Figure

from scripts.anomaly.bids import participant as module
from scripts.anomaly.bids.dataset import select_subjects
from scripts.anomaly.bids.group import write_group
from scripts.anomaly.bids.participant import SubjectJob, describe_results, process_subject
from scripts.anomaly.bids.results import image_results
from scripts.pages.map_views import MappedHead
from tests.helpers.bids_dataset import IMAGES, bids_errors, write_dataset
from tests.helpers.toy_scores import toy_head

RESULTS = (
    "desc-restored_T1w", "desc-uncertainty_T1w", "desc-filled_mask", "desc-anomaly_probseg", "desc-clusters_dseg",
    "desc-brain_mask",
)  # fmt: skip


def jobs_of(root: Path, **settings: object) -> list[SubjectJob]:
    """Jobs of toy heads: a simple detector, and brain masks, as no network knows such heads."""
    head, dataset = toy_head(), root / "in"
    for name in IMAGES:
        mask = root / f"masks/{Path(name).name.replace('T1w', 'mask')}.nii.gz"
        mask.parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(head.brain.numpy().astype(np.uint8), head.affine), mask)
    mapping = {"masks": str(root / "masks"), "device": "cpu"}
    detector = "difference_of_gaussians"
    return [
        SubjectJob(dataset, root / "out", one, detector, {"device": "cpu"}, mapping, **settings)
        for one in select_subjects(dataset)
    ]


@pytest.fixture(scope="module", autouse=True)
def _quick_pictures() -> Iterator[None]:
    """Without pictures of maps, which have tests of their own and take seconds."""
    with pytest.MonkeyPatch.context() as patch:
        for pictures in ("montage", "views"):
            patch.setattr(MappedHead, pictures, lambda *_: Figure())
        yield


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """A dataset of two subjects that is processed, with one damaged image beside the three."""
    root = tmp_path_factory.mktemp("bids")
    write_dataset(root / "in", IMAGES)
    (root / "in/sub-02/ses-b/anat/sub-02_ses-b_run-9_T1w.nii.gz").write_text("no image")
    describe_results(root / "in", root / "out")
    problems = [process_subject(job) for job in jobs_of(root)]
    (problem,) = problems[1]
    assert problems[0] == []
    assert problem.startswith("sub-02/ses-b/anat/sub-02_ses-b_run-9_T1w.nii.gz: the file is not compressed")
    return root


def test_results_have_the_entities_of_their_image_and_the_validator_passes(done):
    for name in IMAGES:
        base = name.removesuffix("_T1w")
        for result in RESULTS:
            assert (done / f"out/{base}_{result}.nii.gz").is_file()
            sidecar = json.loads((done / f"out/{base}_{result}.json").read_text())
            assert sidecar["Sources"] == [f"bids:raw:{name}.nii.gz"]
            assert sidecar["SkullStripped"] is False
        assert (done / f"out/{base}_desc-clusters_dseg.tsv").is_file()
    description = json.loads((done / "out/dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "brain-mri-autoencoders"
    assert bids_errors(done / "out") == []


def test_the_page_of_a_subject_shows_all_its_sessions_and_what_failed(done):
    page = (done / "out/sub-02.html").read_text()
    for name in IMAGES[1:]:
        assert f"<h2>{Path(name).name}.nii.gz</h2>" in page
        assert f'href="{name.replace("_T1w", "_desc-restored_T1w")}.nii.gz"' in page
    assert "No results: the file is not compressed" in page
    assert page.count('src="data:image/png') >= 2
    assert "sub-01_T1w" not in page


def test_the_group_tells_of_every_image(done):
    subjects = [*select_subjects(done / "in"), replace(select_subjects(done / "in")[0], label="77", images={})]
    problems = write_group(done / "out", subjects)
    assert list(problems) == ["sub-02/ses-b/anat/sub-02_ses-b_run-9_T1w.nii.gz", "sub-77"]
    lines = (done / "out/group.tsv").read_text().splitlines()
    rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
    assert [row["participant_id"] for row in rows] == ["sub-01", "sub-02", "sub-02", "sub-77"]
    assert [row["session_id"] for row in rows] == ["n/a", "ses-b", "ses-b", "n/a"]
    brain_ml = 8 * float(toy_head().brain.sum()) / 1000
    assert float(rows[0]["brain_ml"]) == pytest.approx(brain_ml, abs=0.1)
    assert rows[0]["problem"] == "n/a"
    assert rows[0]["clusters"].isdecimal()
    assert rows[-1]["verdict"] == "n/a"
    page = (done / "out/group.html").read_text()
    assert page.count('<a href="sub-02.html">sub-02</a>') == 1
    assert "it has no T1-weighted image" in page
    assert bids_errors(done / "out") == []


def test_what_was_made_of_the_same_is_kept_and_the_rest_made_anew(done, monkeypatch):
    def fail(*arguments: object) -> None:
        raise OSError("made anew")

    monkeypatch.setattr(module, "recipe_workflow", fail)
    monkeypatch.setattr(module, "_note", lambda results, **facts: None)
    anew = ["sub-01/anat: made anew"]
    image, page = done / "in/sub-01/anat/sub-01_T1w.nii.gz", done / "out/sub-01.html"
    (first, *_) = jobs_of(done, skip_existing=True)
    before = page.stat().st_mtime_ns
    assert process_subject(first) == []
    assert page.stat().st_mtime_ns == before
    assert process_subject(replace(first, skip_existing=False)) == anew
    assert process_subject(replace(first, restoration={"gate": False})) == anew
    assert process_subject(replace(first, detector="vae")) == anew
    times = image.stat().st_atime_ns, image.stat().st_mtime_ns
    os.utime(image, ns=(1, 1))
    assert process_subject(first) == anew
    os.utime(image, ns=times)
    assert process_subject(first) == []
    for result in ("desc-clusters_dseg.tsv", "desc-filled_mask.nii.gz", "desc-restored_T1w.nii.gz"):
        path = done / f"out/sub-01/anat/sub-01_{result}"
        path.rename(done / "hidden")
        assert process_subject(first) == anew
        (done / "hidden").rename(path)
    page.unlink()  # as where the run was killed before it was written
    assert process_subject(first) == []
    assert "sub-01_T1w" in page.read_text()


def test_what_was_given_up_is_told(done, monkeypatch):
    def fail(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "recipe_workflow", fail)
    (first, *_) = jobs_of(done)
    assert process_subject(first) == ["sub-01/anat: there is not enough memory for it."]
    (result,) = image_results(done / "out", first.subject)
    assert result.image.name == "sub-01_T1w.nii.gz"


@pytest.mark.parametrize("place", ["in", "in/sub-01", "in/sub-01/ses-x/results"])
def test_results_are_not_written_among_the_images(tmp_path, place):
    write_dataset(tmp_path / "in")
    with pytest.raises(ValueError, match="lies among the images"):
        describe_results(tmp_path / "in", tmp_path / place)
    describe_results(tmp_path / "in", tmp_path / "in/derivatives/restored")
