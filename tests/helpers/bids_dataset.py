# SPDX-License-Identifier: Apache-2.0
"""A BIDS dataset of toy heads, and what the official validator says of a folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.helpers.toy_scores import toy_head

IMAGES = (
    "sub-01/anat/sub-01_T1w",
    "sub-02/ses-b/anat/sub-02_ses-b_acq-hi_run-2_T1w",
)


def write_dataset(root: Path, images: tuple[str, ...] = IMAGES) -> Path:
    """A dataset with these images, each with a sidecar."""
    for seed, name in enumerate(images):
        head = toy_head(seed, lesion=0.5 if seed else 0.0)
        path = root / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(900 * head.image.numpy().astype(np.float32), head.affine), path)
        (root / f"{name}.json").write_text(json.dumps({"MagneticFieldStrength": 3}))
    (root / "dataset_description.json").write_text(json.dumps({"Name": "toy", "BIDSVersion": "1.9.0"}))
    return root


def bids_errors(dataset: Path) -> list[tuple[str, str]]:
    """Code and place of each error that the validator finds."""
    found = shutil.which("bids-validator-deno", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if found is None:
        pytest.skip("bids-validator-deno is not installed")
    command = [found, str(dataset), "--format", "json"]
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
    issues = json.loads(ended.stdout)["issues"]["issues"]
    return [(issue["code"], issue["location"]) for issue in issues if issue["severity"] == "error"]
