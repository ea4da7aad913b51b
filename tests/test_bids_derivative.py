# SPDX-License-Identifier: Apache-2.0
"""The results of a BIDS dataset, in the eyes of the official validator (``pip install bids-validator-deno``)."""

from __future__ import annotations

import json

from tests.helpers.bids_dataset import bids_errors as errors
from tests.helpers.restoring import restore_folder
from tests.helpers.volume_files import head, write_nifti, write_series

NAMES = (
    "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_acq-hi_run-2_T1w.nii", "sub-01/anat/sub-01_T2w.nii.gz",
    "sub-01/anat/sub-01_FLAIR.nii.gz", "sub-01/anat/sub-01_part-mag_T2starw.nii.gz",
    "sub-02/ses-a/anat/sub-02_ses-a_rec-norm_T1w.nii.gz", "sub-02/ses-a/anat/sub-02_ses-a_echo-1_MEGRE.nii.gz",
    "sub-02/ses-a/anat/sub-02_ses-a_inv-1_MP2RAGE.nii.gz", "sub-02/ses-a/anat/sub-02_ses-a_UNIT1.nii.gz",
    "sub-02/ses-a/fmap/sub-02_ses-a_magnitude1.nii.gz", "sub-02/ses-a/func/sub-02_ses-a_task-rest_sbref.nii.gz",
    "sub-03/anat/sub-03_space-MNI152NLin2009cAsym_res-2_desc-preproc_T1w.nii.gz",
    "sub-03/anat/sub-03_space-own_desc-brain_T1w.nii.gz",
)  # fmt: skip


def test_the_results_of_a_bids_dataset_are_a_derivative(tmp_path):
    for name in NAMES:
        write_nifti(tmp_path / "in" / name)
    (tmp_path / "in/sub-01/anat/sub-01_run-9_T1w.nii.gz").write_text("damaged")
    write_series(tmp_path / "in/sourcedata/sub-01/scan", head())
    (tmp_path / "in/dataset_description.json").write_text('{"Name": "heads", "BIDSVersion": "1.9.0"}')
    out = tmp_path / "out"
    assert restore_folder(tmp_path).startswith("error: 1 of 15 volumes were skipped")
    assert (out / ".bidsignore").read_text() == "report.json\n"
    sidecar = json.loads((out / "sub-01/anat/sub-01_acq-hi_run-2_desc-restored_T1w.json").read_text())
    assert sidecar["Sources"] == ["bids:raw:sub-01/anat/sub-01_acq-hi_run-2_T1w.nii"]
    description = json.loads((out / "dataset_description.json").read_text())
    assert description["DatasetLinks"]["raw"] == (tmp_path / "in").as_uri()
    assert description["GeneratedBy"][0]["Name"] == "brain-mri-autoencoders"
    assert errors(out) == []
    (out / ".bidsignore").unlink()  # it is needed, and so is the field
    del sidecar["SkullStripped"]
    (out / "sub-01/anat/sub-01_acq-hi_run-2_desc-restored_T1w.json").write_text(json.dumps(sidecar))
    name = "/sub-01/anat/sub-01_acq-hi_run-2_desc-restored_T1w.nii.gz"
    assert {("NOT_INCLUDED", "/report.json"), ("SIDECAR_KEY_REQUIRED", name)} <= set(errors(out))
