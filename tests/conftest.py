# SPDX-License-Identifier: Apache-2.0
"""Fixtures that all tests share."""

from __future__ import annotations

import locale
import os
from pathlib import Path

import pytest
import torch

from tests.helpers.labelled_cohort import write_labelled_cohort
from tests.helpers.tiny_cohort import write_tiny_cohort

os.environ.setdefault("MONAI_FAIL_ON_DUPLICATE_CONFIG", "1")
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> None:
    """Two threads, as on the smallest machine that is supported."""
    torch.set_num_threads(2)


@pytest.fixture(autouse=True)
def _locale_of_the_user() -> None:
    """Undo what ITK does: reading a DICOM series sets the locale of the whole process to C, and text to ASCII."""
    locale.setlocale(locale.LC_ALL, "")


@pytest.fixture(scope="session")
def root() -> Path:
    """Root of the repository, which is the root of the bundle."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real heads (``BRAIN_MRI_DATA`` or ``../shared/data`` beside the repository)."""
    folder = Path(os.environ.get("BRAIN_MRI_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "ixi_hh_2mm").is_dir():
        pytest.skip(f"no real data: {folder} has no ixi_hh_2mm (set BRAIN_MRI_DATA to the folder that has)")
    return folder


@pytest.fixture(scope="session")
def tiny_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of five tiny heads with a dataset.json: three for training, one for validation, one for test."""
    return write_tiny_cohort(tmp_path_factory.mktemp("tiny_cohort"))


@pytest.fixture(scope="session")
def labelled_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of six small heads with region labels: three for training, one for validation, two for test."""
    return write_labelled_cohort(tmp_path_factory.mktemp("labelled_cohort"))
