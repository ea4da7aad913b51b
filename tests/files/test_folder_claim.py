# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.files.folder_claim import claimed, keep_claimed

HOLD = """
import sys
from scripts.files.folder_claim import keep_claimed
keep_claimed(sys.argv[1])
print("claimed", flush=True)
sys.stdin.read()
"""


def test_a_folder_belongs_to_one_process(tmp_path, root):
    folder = tmp_path / "out"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"claimed\n"
        (folder / ".partial-1-2-x").touch()
        for claim in (lambda: claimed(folder).__enter__(), lambda: keep_claimed(folder)):
            with pytest.raises(BlockingIOError, match=r"another process writes into .*out: wait .* another output_dir"):
                claim()
        assert [path.name for path in folder.iterdir()] == [".partial-1-2-x"]
        other.kill()
    with claimed(folder):
        assert list(folder.iterdir()) == []


def test_it_is_free_again_after_the_block(tmp_path):
    for _ in range(2):
        with claimed(tmp_path):
            pass


def test_a_process_may_keep_what_it_has(tmp_path):
    keep_claimed(tmp_path)
    keep_claimed(tmp_path / "." / ".." / tmp_path.name)


def test_only_what_is_half_written_is_removed(tmp_path):
    (tmp_path / "x").mkdir()
    keep = [tmp_path / name for name in (".partial-", ".partial-a-b-c", "partial-1-2-x", "x/.hidden")]
    partial = [tmp_path / name for name in (".partial-1-2-a.nii.gz", "x/.partial-345-6-b.json")]
    for path in (*keep, *partial):
        path.touch()
    (tmp_path / "link").symlink_to(tmp_path / "x")
    with claimed(tmp_path):
        assert all(path.exists() for path in keep)
        assert not any(path.exists() for path in partial)


def test_a_file_is_no_folder(tmp_path: Path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(NotADirectoryError, match=r"output_dir '.*file' is a file: give a folder"),
        claimed(tmp_path / "file"),
    ):
        pass
