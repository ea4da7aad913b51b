# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from scripts.files.atomic import replacing


def fail_half_way(path: Path) -> None:
    with replacing(path) as partial:
        assert partial.name.endswith(".nii.gz")
        partial.write_text("half")
        raise RuntimeError("disk")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "made" / "x.nii.gz"
    with replacing(path) as partial:
        partial.write_text("old")
    with pytest.raises(RuntimeError, match="disk"):
        fail_half_way(path)
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["x.nii.gz"]
