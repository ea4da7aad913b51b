# SPDX-License-Identifier: Apache-2.0
"""``anomaly`` from the command line, with heads and masks of a user's."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from scripts.__main__ import main
from scripts.anomaly import DifferenceOfGaussians
from scripts.inference.gate import Verdict
from tests.helpers.dicom_files import write_classic
from tests.helpers.toy_scores import lesion_mask, toy_calibration, toy_head

DETECTOR = ["--detector", "difference_of_gaussians", "--device", "cpu"]


def write(path: Path, values: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, affine), path)


def rows_of(table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(table).read_text().splitlines()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two heads, one of them with a lesion, six healthy ones, masks of all, and a calibration on twenty."""
    folder = tmp_path_factory.mktemp("anomaly")
    heads = {f"controls/c{seed:02d}": toy_head(100 + seed) for seed in range(6)}
    heads |= {"in/ill": toy_head(7, lesion=0.5), "in/sub-1_T1w": toy_head(8)}
    for name, head in heads.items():
        write(folder / f"{name}.nii.gz", head.image.numpy(), head.affine)
        write(folder / "masks" / f"{Path(name).name}_mask.nii.gz", head.brain.numpy().astype(np.uint8), head.affine)
    toy_calibration(DifferenceOfGaussians()).save(folder / "made.json")
    write(folder / "lesions" / "ill_lesion.nii.gz", lesion_mask().astype(np.uint8), heads["in/ill"].affine)
    return folder


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def test_calibrate_and_map(here, capsys):
    arguments = ["--calibrate", "controls", "--masks", "masks", "--level", "0.2"]
    assert main(["anomaly", "in", "out", *arguments, *DETECTOR]) == 0
    printed = capsys.readouterr().out
    assert "6 healthy heads; each beside the others has" in printed
    assert Path("out/calibration_difference_of_gaussians.json").is_file()
    assert "out/ill_anomaly.nii.gz" in printed
    values = nib.load("out/ill_anomaly.nii.gz")
    assert values.get_data_dtype() == np.float32
    np.testing.assert_allclose(values.affine, nib.load("in/ill.nii.gz").affine)
    rows = rows_of("out/ill_clusters.csv")
    assert rows[0]["index"] == "1"
    assert float(rows[0]["p"]) == pytest.approx(1 / 7, abs=1e-4)
    clusters = np.asarray(nib.load("out/ill_clusters.nii.gz").dataobj)
    assert clusters.dtype == np.int16
    assert (clusters == 1)[lesion_mask()].mean() > 0.8
    assert Path("out/sub-1_desc-clusters_dseg.tsv").read_text().splitlines() == [
        "index\tname\tx_mm\ty_mm\tz_mm\tvolume_mm3\tpeak\tp\tfalse_per_head\tq\twarning"
    ]
    for name in ("sub-1_desc-anomaly_probseg", "sub-1_desc-clusters_dseg", "sub-1_desc-brain_mask", "ill_brain_mask"):
        assert Path(f"out/{name}.nii.gz").is_file()
        assert json.loads(Path(f"out/{name}.json").read_text())["Detector"] == "difference_of_gaussians"
    report = json.loads(Path("out/report.json").read_text())
    assert [one["clusters"] for one in report["mapped"]] == [len(rows), 0]


def test_a_bad_file_is_skipped_and_makes_the_status(here, capsys, tmp_path):
    (here / "in" / "text.nii").write_text("no image")
    try:
        status = main(["anomaly", "in", str(tmp_path), "--calibration", "made.json", "--masks", "masks", *DETECTOR])
    finally:
        (here / "in" / "text.nii").unlink()
    assert status == 1
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1].endswith("1 of 3 volumes were skipped, see " + str(tmp_path / "report.json"))
    assert not list(tmp_path.glob("text*"))


def test_a_volume_outside_of_the_training_has_a_warning_on_every_output(here, caplog, monkeypatch):
    told = "outside of the training (probability"
    monkeypatch.setattr("scripts.inference.gate.Gate.__call__", lambda *_: Verdict("outside", {}, (), 0.8, 0.2))
    arguments = ["--masks", "masks", "--calibration", "made.json"]
    assert main(["anomaly", "in", "odd", *arguments, *DETECTOR]) == 0
    assert told in caplog.text
    report = json.loads(Path("odd/report.json").read_text())["mapped"][0]
    assert (report["name"], report["verdict"]) == ("ill.nii.gz", "outside")
    assert all(told in warning for warning in report["warnings"][:1])
    for name in ("anomaly", "clusters", "brain_mask"):
        sidecar = json.loads(Path(f"odd/ill_{name}.json").read_text())
        assert (sidecar["Verdict"], told in sidecar["Warnings"][0]) == ("outside", True)
    rows = rows_of("odd/ill_clusters.csv")
    assert rows
    assert all(told in row["warning"] for row in rows)


def test_clusters_of_a_series_become_a_segmentation(here, caplog, tmp_path):
    hd = pytest.importorskip("highdicom")
    head = toy_head(7, lesion=0.5)
    write_classic(tmp_path / "in/scan", np.rint(head.image.numpy() * 1000).astype("<u2"), head.affine)
    write_classic(tmp_path / "in/well", np.rint(toy_head(8).image.numpy() * 1000).astype("<u2"), head.affine, series=2)
    nib.save(nib.Nifti1Image(head.image.numpy(), head.affine), tmp_path / "in/other.nii.gz")
    for name in ("scan", "well", "other"):
        write(tmp_path / f"masks/{name}.nii.gz", head.brain.numpy().astype(np.uint8), head.affine)
    arguments = ["--masks", str(tmp_path / "masks"), "--calibration", "made.json", "--dicom", "true"]
    assert main(["anomaly", str(tmp_path / "in"), str(tmp_path / "out"), *arguments, *DETECTOR]) == 1
    assert "skipped other.nii.gz: it is no DICOM series" in caplog.text
    report = json.loads((tmp_path / "out/report.json").read_text())["mapped"]
    assert [one["outputs"][-1] for one in report] == ["scan_clusters.dcm", "well_brain_mask.json"]
    rows = rows_of(tmp_path / "out/scan_clusters.csv")
    made = hd.seg.segread(tmp_path / "out/scan_clusters.dcm")
    assert [item.SegmentLabel.split(" ")[0] for item in made.SegmentSequence] == [row["index"] for row in rows]
    assert rows[0]["name"] in made.SegmentSequence[0].SegmentLabel
    assert f"p {float(rows[0]['p']):g}" in made.SegmentSequence[0].SegmentDescription
    labels = np.asarray(nib.load(tmp_path / "out/scan_clusters.nii.gz").dataobj)
    assert int((made.get_volume(combine_segments=True).array > 0).sum()) == int((labels > 0).sum())
    assert not list((tmp_path / "out").glob("well*.dcm"))


def test_a_users_lesions_are_measured(here, capsys):
    arguments = ["--calibration", "made.json", "--masks", "masks", "--lesions", "lesions"]
    arguments += ["--baselines", "equalised_intensity"]
    assert main(["anomaly", "in", "measured", *arguments, *DETECTOR]) == 0
    printed = capsys.readouterr().out
    assert "difference_of_gaussians, given lesions: average precision 0." in printed
    assert "equalised_intensity, given lesions: average precision 1." in printed  # the lesion is brighter than all else
    rows = rows_of("measured/lesions.csv")
    assert [row["found"] for row in rows if row["detector"] == "difference_of_gaussians"] == ["True"]
    assert float(rows[0]["diameter_mm"]) == pytest.approx(11.24, abs=0.01)


@pytest.mark.parametrize(
    ("typed", "status", "message"),
    [
        ("", 2, "give the folder of the volumes, IN"),
        ("in --detector difference", 2, "did you mean difference_of_gaussians?"),
        ("in --levl 0.1", 2, "unknown key 'levl': did you mean level?"),
        ("in --level 2 --detector vae", 1, "level must be between 0 and 1"),
        ("in --calibration no.json --detector vae", 1, "there is no calibration at no.json"),
        ("in --calibration configs.json --weights x.pt", 1, "x.pt"),
        ("nowhere --detector vae", 1, "'nowhere' does not exist"),
        ("in --masks none --detector vae", 1, "masks 'none' does not exist"),
        ("in out --lesions masks_of_others --detector vae", 1, "masks_of_others"),
    ],
)
def test_wrong_arguments_end_with_one_line(typed, status, message, here, capsys):
    assert main(["anomaly", *typed.split()]) == status
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1].startswith("error: ")
    assert message in printed.err.splitlines()[-1]
