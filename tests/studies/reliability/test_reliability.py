# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from scripts.studies.reliability.children import run_child
from scripts.studies.reliability.kills import Kills
from scripts.studies.reliability.many import Prepared, Restored
from scripts.studies.reliability.mutants import Mutants
from scripts.studies.reliability.mutation import mutate
from scripts.studies.reliability.page import Findings, page
from scripts.studies.reliability.second_reader import READERS
from scripts.studies.reliability.seeds import SEEDS, small_head

KINDS = [(kind, number) for kind, writers in SEEDS.items() for number in range(len(writers))]


@pytest.mark.parametrize(("kind", "number"), KINDS)
def test_second_readers_read_what_is_whole(kind, number, tmp_path):
    path = SEEDS[kind][number](tmp_path, number)
    for read in READERS[kind]:
        np.testing.assert_array_equal(read(path), small_head(number))


@pytest.mark.parametrize(("kind", "number"), KINDS)
def test_damage_is_real_and_the_same_each_time(kind, number, tmp_path):
    contents = []
    for seed in (*range(20), 0):
        folder = tmp_path / str(len(contents))
        folder.mkdir()
        path = SEEDS[kind][number](folder, 0)
        whole = path.read_bytes()
        mutate(path, seed)
        contents.append(path.read_bytes())
        damaged = contents[-1] != whole
    assert contents[0] == contents[-1]
    assert len(set(contents)) > 10
    assert damaged or len(set(contents)) > 10


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def fill_memory() -> None:
    bytearray(2**33)


@pytest.mark.parametrize(
    ("work", "status", "in_time"),
    [(lambda: None, 0, True), (stop, -11, True), (fill_memory, 1, True), (lambda: time.sleep(60), -9, False)],
)
def test_a_child_cannot_harm_its_parent(work, status, in_time, tmp_path):
    ended = run_child(work, tmp_path / "log", seconds=2, memory_gb=4)
    assert (ended.status, ended.in_time) == (status, in_time)
    assert ended.seconds < 5


def test_a_child_is_killed_at_its_moment(tmp_path):
    ended = run_child(lambda: time.sleep(60), tmp_path / "log", seconds=30, kill_after=0.1, number=signal.SIGTERM)
    assert (ended.status, ended.in_time) == (-15, True)
    assert ended.seconds < 5


FOUND = Findings(
    scale=0.1,
    seed=0,
    mutants={"NIfTI": Mutants(6, Counter({"the file | is damaged": 3}), 5, 1, [], [], 400.0)},
    restoring=Kills(5, 2, 30),
    training=Kills(5, 2),
    restored=Restored(50, 20.0, (400.0, 410.0, 411.0)),
    prepared=Prepared(200, 1, 9.0, 500.0),
    seconds=300.0,
)
WRONG = [
    ({"mutants": {"NIfTI": Mutants(6, Counter(), 6, 0, ["NIfTI 000003"])}}, "NIfTI 000003: other voxels"),
    ({"mutants": {"MHA": Mutants(6, failures=["MHA 000003: exit status -11"])}}, "MHA 000003: exit status -11"),
    ({"mutants": {"NIfTI": Mutants(1, Counter({"x": 9}))}}, "only 1 of 10 damaged files were accepted"),
    ({"restoring": Kills(1, failures=["after kill 1: x"])}, "restoring, after kill 1: x"),
    ({"training": Kills(1, failures=["after kill 1: x"])}, "training, after kill 1: x"),
    ({"restored": Restored(50, 20.0, (400.0, 410.0, 500.0))}, "memory of a long run grew from 410 to 500 MB"),
    ({"prepared": Prepared(200, 2, 9.0, 500.0)}, "a subject of the large cohort is in 2 parts"),
]


def test_the_page_of_what_is_right():
    text = page(FOUND)
    assert "| NIfTI | 9 | 6 | 5 | 0 | 3 | 0 | 400 |" in text
    assert "| 3 | the file   is damaged |" in text
    assert "67% were accepted" in text
    assert text.endswith("## What is wrong\n\nNothing that was looked for.\n")


@pytest.mark.parametrize(("changes", "failure"), WRONG)
def test_the_page_names_what_is_wrong(changes, failure):
    found = replace(FOUND, **changes)
    with pytest.raises(ValueError, match=rf"^1 failures:\n  {re.escape(failure)}$"):
        found.check()
    assert page(found).endswith(f"## What is wrong\n\n- {failure}\n")


def test_a_hundredth_of_the_measurement(root, tmp_path):
    """A few files of each format, one kill, a run of 20 volumes."""
    command = [
        sys.executable,
        "-m",
        "scripts.studies.reliability",
        "--n",
        "0.002",
        "--output",
        str(tmp_path / "page.md"),
    ]
    ended = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", timeout=600, check=False)
    assert "Traceback" not in ended.stderr
    text = (tmp_path / "page.md").read_text()
    assert "| NIfTI | 8 |" in text
    assert "| inference, `--skip_existing` | 1 |" in text
    assert "20 volumes of 64 x 72 x 60" in text
