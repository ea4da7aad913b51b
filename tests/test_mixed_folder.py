# SPDX-License-Identifier: Apache-2.0
"""A folder as people have them: from the screen, a user learns what became of each file and series."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom

from tests.helpers.dicom_kinds import frames, mixed, one, with_report
from tests.helpers.restoring import restore_folder
from tests.helpers.volume_files import head, write_itk, write_nifti, write_series


def fill(folder: Path) -> dict[str, str]:
    """Write the files; what the line of each says after its name, by its beginning."""
    write_nifti(folder / "plain.nii")
    write_nifti(folder / "packed.nii.gz")
    write_itk(folder / "meta.mha", head())
    write_itk(folder / "near/raw.nrrd", head())
    write_nifti(folder / "UPPER.NII.GZ".lower()).rename(folder / "UPPER.NII.GZ")
    write_nifti(folder / "bids/sub-01/anat/sub-01_T1w.nii.gz")
    write_nifti(folder / "zscored.nii", (head() - head().mean()) / head().std())
    write_nifti(folder / "line\nbreak ü.nii")
    write_nifti(folder / "single.nii", head()[..., None])
    (folder / "link.nii").symlink_to("plain.nii")
    one(folder / "dicom/scan")
    frames(folder / "dicom/enhanced", 2, mixed(2))
    write_series(folder / "dicom/two", head(), series=4)
    write_series(folder / "dicom/two", head(), series=7, name="b{:03d}")
    restored = {
        "plain.nii": "plain_restored.nii.gz",
        "packed.nii.gz": "packed_restored.nii.gz",
        "meta.mha": "meta_restored.nii.gz",
        "near/raw.nrrd": "near/raw_restored.nii.gz",
        "UPPER.NII.GZ": "UPPER_restored.nii.gz",
        "bids/sub-01/anat/sub-01_T1w.nii.gz": "bids/sub-01/anat/sub-01_desc-restored_T1w.nii.gz",
        "zscored.nii": "zscored_restored.nii.gz",
        r"'line\nbreak \xfc.nii'": r"'line\nbreak \xfc_restored.nii.gz'",
        "single.nii": "single_restored.nii.gz",
        "link.nii": "link_restored.nii.gz",
        "dicom/scan": "dicom/scan_restored.nii.gz",
        "dicom/enhanced (e1)": "dicom/enhanced_e1_restored.nii.gz",
        "dicom/enhanced (e2)": "dicom/enhanced_e2_restored.nii.gz",
        "dicom/two (series 4)": "dicom/two_series-4_restored.nii.gz",
        "dicom/two (series 7)": "dicom/two_series-7_restored.nii.gz",
    }
    write_nifti(folder / "bold.nii.gz", np.stack([head(), head()], axis=-1))
    write_nifti(folder / "colours.nii", np.zeros((17, 18, 19), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]))
    write_nifti(folder / "complex.nii", head().astype(np.complex64))
    write_nifti(folder / "flat.nii", head()[:, :, :9])
    write_nifti(folder / "constant.nii.gz", np.full((17, 18, 19), 3, dtype=np.int16))
    write_nifti(folder / "holes.nii", np.where(head() > 690, np.nan, head()))
    write_nifti(folder / "packed.nii")
    (folder / "empty.nii").touch()
    (folder / "text.nii.gz").write_text("Not found")
    cut = write_nifti(folder / "cut.nii.gz")
    cut.write_bytes(cut.read_bytes()[:9000])
    (folder / "annexed.nii.gz").symlink_to("../.git/annex/objects/x.nii.gz")
    os.mkfifo(folder / "pipe.nii")
    one(folder / "dicom/gap", skip=[8])
    one(folder / "dicom/damaged")
    (folder / "dicom/damaged/half.dcm").write_bytes(b"half")
    skipped = {
        "bold.nii.gz": "the image is four-dimensional",
        "colours.nii": "the voxels are colours",
        "complex.nii": "the voxels are of type complex64",
        "flat.nii": "the volume is (17, 22, 9): at least 16 voxels",
        "constant.nii.gz": "the volume is constant",
        "holes.nii": "",
        "packed.nii.gz": "its result packed_restored.nii.gz is that of packed.nii already",
        "empty.nii": "the file is empty",
        "text.nii.gz": "the file is not compressed as its name says",
        "cut.nii.gz": "the file is truncated",
        "annexed.nii.gz": "the link leads to nothing",
        "pipe.nii": "it is a named pipe",
        "dicom/gap": "",
        "dicom/damaged/half.dcm": "the file is not readable as DICOM",
    }
    restored["packed.nii"] = restored.pop("packed.nii.gz")
    restored["dicom/damaged"] = "dicom/damaged_restored.nii.gz"
    return {
        **{name: f"restored {name}: {result}" for name, result in restored.items()},
        **{name: f"skipped {name}: {reason}" for name, reason in skipped.items()},
    }


def no_inputs(folder: Path) -> None:
    """What lies beside images, and is passed over."""
    (folder / ".hidden").mkdir()
    write_nifti(folder / ".hidden/a.nii")
    (folder / "._plain.nii").write_bytes(b"\0\5\x16\7")
    for name in ("plain.json", "participants.tsv", "README", "dwi.bval", "log.txt.gz"):
        (folder / name).write_text("1 2 3")
    with_report(folder / "dicom/scan")


def test_each_input_has_one_line(tmp_path, capfd):
    expected = fill(tmp_path / "in")
    no_inputs(tmp_path / "in")
    message = restore_folder(tmp_path)
    skipped = sum(line.startswith("skipped") for line in expected.values())
    assert message == f"error: {skipped} of {len(expected)} volumes were skipped, see {tmp_path}/out/report.json"
    screen = capfd.readouterr().err
    lines = [line.strip() for line in re.split(r"[\r\n]+", screen) if re.match(r" *(restored|skipped) ", line)]
    for name, start in expected.items():
        about = [line for line in lines if line.startswith((f"restored {name}: ", f"skipped {name}: "))]
        assert len(about) == 1, name
        assert about[0].startswith(start)
        assert len(about[0]) < 250
    assert len(lines) == len(expected)
    assert "passed over 1 DICOM files without images" in screen
    others = [line for line in re.split(r"[\r\n]+", screen) if line.strip() and line.strip() not in lines]
    assert [line for line in others if not re.match(r" *(volumes|passed over)", line)] == []
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert len(report["restored"]) + len(report["skipped"]) == len(expected)
    for entry in report["restored"]:
        assert np.isfinite(nib.load(tmp_path / "out" / entry["output"]).get_fdata()).all()
    patient = pydicom.dcmread(next((tmp_path / "in/dicom/scan").glob("IM*"))).PatientName
    assert str(patient) not in screen + (tmp_path / "out/report.json").read_text()
