# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path, PurePath

import pytest

from scripts.files.folder_walk import walk_folder


def _touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_files_in_the_order_of_their_parts(tmp_path: Path):
    _touch(tmp_path, "b/x", "a-b/x", "a/y", "a/x", ".hidden/x", "a/.x", "z")
    assert walk_folder(tmp_path).files == [PurePath(path) for path in ("a/x", "a/y", "a-b/x", "b/x", "z")]


def test_a_folder_is_left_out(tmp_path: Path):
    _touch(tmp_path, "a/x", "out/y")
    assert walk_folder(tmp_path, tmp_path / "out").files == [PurePath("a/x")]


def test_a_folder_with_several_names_is_listed_under_its_own(tmp_path: Path):
    _touch(tmp_path, "root/run3/x", "far/y")
    (tmp_path / "root/latest").symlink_to("run3")
    (tmp_path / "root/run3/up").symlink_to("..")
    (tmp_path / "root/one").symlink_to(tmp_path / "far")
    (tmp_path / "root/two").symlink_to(tmp_path / "far")
    (tmp_path / "root/file").symlink_to("run3/x")
    files = [path.as_posix() for path in walk_folder(tmp_path / "root").files]
    assert files == ["file", "one/y", "run3/x"]


def test_what_is_no_file_is_named(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    walk = walk_folder(tmp_path)
    assert walk.files == []
    assert walk.unreadable[PurePath("pipe")] == "it is a named pipe, no file."
    assert {path.name for path, reason in walk.unreadable.items() if "the link leads to nothing" in reason} == {
        "link",
        "circle",
    }


def test_a_folder_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _touch(tmp_path, "open/x", "shut/y")
    scandir = os.scandir

    def refuse(folder: Path):
        if Path(folder).name == "shut":  # root may open any folder
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    walk = walk_folder(tmp_path)
    assert walk.files == [PurePath("open/x")]
    assert walk.unreadable == {PurePath("shut"): "the folder cannot be opened (Permission denied)."}
