# SPDX-License-Identifier: Apache-2.0
"""``restore`` with the shipped weights, in a folder of the user's."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from scripts.__main__ import main
from scripts.demo.restoration import demo_head
from scripts.files.dicom import read_volume
from tests.helpers.dicom_files import PATIENT, classic_affine, write_classic
from tests.helpers.volume_files import affine, head, write_nifti


@pytest.fixture
def volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.nii.gz", "sub-1/sub-1_T1w.nii"):
        write_nifti(tmp_path / "in" / name, head((20, 22, 18)), affine())
    return tmp_path


def test_results_are_named_on_standard_output(volumes, capsys):
    assert main(["restore", "in", "out", "--batch-size", "4", "--device=cpu", "--amp", "no"]) == 0
    names = ["out/a_restored.nii.gz", "out/sub-1/sub-1_desc-restored_T1w.nii.gz"]
    printed = capsys.readouterr()
    assert printed.out.splitlines() == names
    assert "restored 2 volumes" in printed.err
    restored, original = nib.load(volumes / names[0]), nib.load(volumes / "in" / "a.nii.gz")
    assert restored.shape == original.shape
    np.testing.assert_allclose(restored.affine, original.affine)


def test_a_bad_volume_is_skipped_and_makes_the_status(volumes, capsys):
    (volumes / "in" / "text.nii").write_text("no image")
    assert main(["restore", "in", "--device", "cpu"]) == 1
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2
    assert printed.err.splitlines()[-1].endswith("error: 1 of 3 volumes were skipped, see eval/restored/report.json")
    assert [one["name"] for one in json.loads(Path("eval/restored/report.json").read_text())["skipped"]] == ["text.nii"]


def test_the_network_of_a_recipe_restores_with_the_weights_of_its_training(volumes, capsys, root):
    assert main(["restore", "in", "missing", "--recipe", "residual_unet_mse"]) == 1
    assert "no weights at eval/residual_unet_mse/model.pt" in capsys.readouterr().err
    (volumes / "eval/residual_unet_mse").mkdir(parents=True)
    published = root / "bundle/brain_mri_autoencoder/model.pt"
    shutil.copyfile(published, "eval/residual_unet_mse/model.pt")
    by_hand = ["--spatial_dims", "2", "--weights", str(published), "--network_def"]
    by_hand += ["{'_target_': 'scripts.networks.ResidualUNet', 'spatial_dims': 2, 'residual_output': True}"]
    for name, more in (("trained", ["--recipe", "residual_unet_mse"]), ("by_hand", by_hand)):
        assert main(["restore", "in", name, *more]) == 0
    trained, other = (nib.load(next((volumes / name).glob("*.nii.gz"))).get_fdata() for name in ("trained", "by_hand"))
    np.testing.assert_array_equal(trained, other)


def test_anomalies_are_mapped_beside_and_the_report_tells_of_both(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scripts.commands.anomaly.DETECTOR", "difference_of_gaussians")
    (tmp_path / "in").mkdir()
    nib.save(demo_head(), "in/a.nii.gz")
    Path("in/text.nii").write_text("no image")
    assert main(["restore", "in", "out", "--anomaly", "true", "--device", "cpu"]) == 1
    printed = capsys.readouterr()
    assert set(printed.out.splitlines()) == {"out/a_restored.nii.gz", "out/a_anomaly.nii.gz"}
    report = json.loads(Path("out/report.json").read_text())
    assert [one["name"] for one in report["restored"]] == ["a.nii.gz"]
    assert [one["outputs"][0] for one in report["anomaly"]["mapped"]] == ["a_anomaly.nii.gz"]
    assert [one["name"] for one in report["skipped"]] == ["text.nii"]
    assert [one["name"] for one in report["anomaly"]["skipped"]] == ["text.nii"]
    assert json.loads(Path("out/a_anomaly.json").read_text())["Detector"] == "difference_of_gaussians"


def test_a_series_comes_back_as_one_and_what_is_none_is_refused_before_any_work(volumes, capsys):
    image = np.rint(head((20, 22, 18)) * 10).astype("<u2")
    write_classic(Path("in/scan"), image, classic_affine(tilts=(0.1, 0.2, 0.0)))
    typed = ["restore", "in", "out", "--device", "cpu", "--amp", "no", "--gate", "false", "--dicom"]
    assert main([*typed, "true"]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["out/scan_restored.nii.gz"]
    assert "skipped a.nii.gz: it is no DICOM series, of which alone DICOM results are made." in printed.err
    report = Path("out/report.json").read_text()
    assert json.loads(report)["restored"][0]["output_dicom"] == "scan_restored_dicom"
    texts = [report, printed.err, Path("out/scan_restored.json").read_text(), *map(str, Path("out").rglob("*"))]
    assert not [value for value in PATIENT.values() for text in texts if value in text]
    made = [pydicom.dcmread(file) for file in sorted(Path("out/scan_restored_dicom").iterdir())]
    values = np.stack([ds.pixel_array.T * ds.RescaleSlope + ds.RescaleIntercept for ds in made], axis=-1)
    restored = nib.load("out/scan_restored.nii.gz")
    np.testing.assert_allclose(values, restored.get_fdata(), rtol=0, atol=0.501 * float(made[0].RescaleSlope))
    np.testing.assert_allclose(read_volume(Path("out/scan_restored_dicom")).affine, restored.affine, atol=1e-5)
    assert str(made[0].PatientName) == PATIENT["PatientName"]
    shutil.rmtree("out/scan_restored_dicom")
    assert main([*typed, "true", "--skip_existing"]) == 1  # which is not complete
    assert len(list(Path("out/scan_restored_dicom").iterdir())) == 18
    before = Path("out/scan_restored_dicom").stat().st_ino
    assert main([*typed, "true", "--skip_existing"]) == 1
    assert Path("out/scan_restored_dicom").stat().st_ino == before
    hole = image > np.percentile(image, 99)
    nib.save(nib.Nifti1Image(hole.astype(np.uint8), restored.affine), "hole.nii.gz")
    assert (
        main(["restore", "in", "filled", "--device", "cpu", "--dicom", "--mode", "fill", "--mask", "hole.nii.gz"]) == 1
    )
    made = [pydicom.dcmread(file) for file in sorted(Path("filled/scan_filled_dicom").iterdir())]
    values = np.stack([ds.pixel_array.T * ds.RescaleSlope + ds.RescaleIntercept for ds in made], axis=-1)
    np.testing.assert_array_equal(values, nib.load("filled/scan_filled.nii.gz").get_fdata())
    assert (values == image)[~hole].all()


@pytest.mark.parametrize(
    ("typed", "status", "message"),
    [
        ("", 2, "the following arguments are required: IN."),
        ("in --plan axial", 2, "unknown key 'plan': did you mean plane?"),
        ("in --plane side", 1, "plane 'side' is unknown"),
        ("in --spacing_mm fine", 2, "--spacing_mm must be a number, got 'fine'"),
        ("in --anomaly often", 2, "--anomaly: must be true or false, got 'often'"),
        ("in --weights no.pt", 1, "no.pt"),
        ("nowhere", 1, "'nowhere' does not exist"),
    ],
)
def test_wrong_arguments_end_with_one_line(typed, status, message, volumes, capsys):
    assert main(["restore", *typed.split()]) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[-1].startswith("error: ")
    assert message in printed.err.splitlines()[-1]


REPORTED = ["restore", "in", "out", "--device", "cpu", "--report", "true"]


def test_pages_are_written_once_for_each_result_and_named(volumes, capsys):
    (volumes / "in" / "text.nii").write_text("no image")
    assert main(REPORTED) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == "out/restoration_report.html"
    pages = [Path("out/a_restored.html"), Path("out/sub-1/sub-1_desc-restored_T1w.html")]
    report = json.loads(Path("out/report.json").read_text())
    assert report["finished"]
    assert [f"out/{one['page']}" for one in report["restored"]] == [str(page) for page in pages]
    assert {one["self_test"]["judgement"] for one in report["restored"]} <= {"red", "amber", "green"}
    sidecar = json.loads(Path("out/a_restored.json").read_text())["Restoration"]
    assert sidecar["self_test"] == report["restored"][0]["self_test"]
    index = Path("out/restoration_report.html").read_text()
    assert 'href="sub-1/sub-1_desc-restored_T1w.html"' in index
    assert "text.nii" in index
    before = [page.stat().st_mtime_ns for page in pages]
    assert main([*REPORTED, "--skip_existing", "true"]) == 1  # text.nii
    assert [page.stat().st_mtime_ns for page in pages] == before
    assert json.loads(Path("out/report.json").read_text())["restored"][0]["page"] == "a_restored.html"
    assert main(["restore", "in", "out", "--device", "cpu", "--plane", "axial"]) == 1
    assert not any(page.exists() for page in pages)  # they were about other results


def test_a_page_that_fails_is_named_and_leaves_the_others(volumes, capsys, caplog, monkeypatch):
    from scripts.demo import restored_folder

    real = restored_folder.write_head_page

    def full_disk(path: Path, *arguments: object) -> None:
        if path.name == "a_restored.html":
            raise OSError("no space left on device")
        real(path, *arguments)

    monkeypatch.setattr(restored_folder, "write_head_page", full_disk)
    assert main(REPORTED) == 1
    printed = capsys.readouterr()
    assert "no page of a.nii.gz: no space left on device" in caplog.text
    assert printed.err.splitlines()[-1] == "error: 1 of 2 pages could not be written, see above."
    assert sorted(path.name for path in Path("out").rglob("*.html")) == [
        "restoration_report.html", "sub-1_desc-restored_T1w.html",
    ]  # fmt: skip
    assert "page" not in json.loads(Path("out/report.json").read_text())["restored"][0]


def test_a_dry_run_writes_no_page(volumes, capsys):
    assert main([*REPORTED, "--dry_run", "true"]) == 0
    assert not Path("out").exists()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("package", ["matplotlib", "jinja2", "pandas"])
def test_a_package_that_pages_need_is_named_before_any_work(package, volumes, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("scripts.demo.restored", "scripts.pages.", package))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert main(REPORTED) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: the package {package} is missing: pip install")
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "command", ["restore in out --mode fill --mask m --report true", "fill in out --mask m --report true"]
)
def test_filled_volumes_have_no_page(command, volumes, capsys):
    assert main(command.split()) == 2
    assert "report is about volumes that are restored" in capsys.readouterr().err
