# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scripts.studies import brain_masks as study


def test_a_summary_counts_heads():
    table = pd.DataFrame(
        [["a", "network", 0.98, 1.0], ["b", "network", 0.96, 3.0], ["a", "deepbet", 0.9, 9.0]],
        columns=["subject", "method", "dice", "seconds"],
    )
    summary = study.summary_of(table).set_index("method")
    assert summary.loc["network", ["n", "mean", "worst", "median_seconds"]].tolist() == [2, 0.97, 0.96, 2.0]
    assert summary.loc["network", "sd"] == pytest.approx(0.0141)
    assert np.isnan(summary.loc["deepbet", "sd"])


def test_a_failing_deepbet_is_named(tmp_path: Path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no module deepbet >&2\nexit 1\n")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(RuntimeError, match=r"deepbet failed on a.nii: no module deepbet"):
        study._deepbet_mask(str(python), Path("a.nii"), tmp_path / "out")


def test_heads_without_labels_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(study, "load_datalist", lambda *arguments: [{"image": "a.nii"}])
    with pytest.raises(ValueError, match=r"not every test head of .* has region labels"):
        study.brain_masks(str(tmp_path))
