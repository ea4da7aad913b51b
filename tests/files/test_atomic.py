# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

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


def test_two_threads_write_one_file(tmp_path):
    """Each has a temporary file of its own, and the one that ends last wins."""
    path, meet = tmp_path / "x.txt", Barrier(2)

    def write(text: str) -> None:
        with replacing(path) as partial:
            partial.write_text(text)
            meet.wait(timeout=10)
            assert partial.read_text() == text

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, ("one", "two")))
    assert path.read_text() in ("one", "two")
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


@pytest.mark.parametrize("letter", ["n", "ü"])
def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path, letter):
    name = letter * ((255 - len(".nii.gz")) // len(letter.encode())) + ".nii.gz"
    with replacing(tmp_path / name) as partial:
        assert partial.name.endswith(".nii.gz")
        partial.write_text("whole")
    assert [p.name for p in tmp_path.iterdir()] == [name]
