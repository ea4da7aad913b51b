# SPDX-License-Identifier: Apache-2.0
"""The recipes of the containers, step by step in a folder and an environment of their own, and the job array."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.container import copied, steps
from tests.helpers.wheel import build_wheel

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "configs/hw/slurm_bids.sh"


def test_what_is_copied_is_enough_for_the_package(tmp_path):
    wheels = [build_wheel(root, tmp_path) for root in (copied(tmp_path / "image"),)]
    names = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", wheels[0]], capture_output=True, text=True, check=True
    )
    for part in ("commands/bids.py", "bundle/brain_mri_restorer/model.pt", "bundle/brain_mri_anomalies/model.pt"):
        assert f"brain_mri_autoencoders/{part}" in names.stdout


def test_the_versions_are_those_of_the_bundle(tmp_path):
    folder = copied(tmp_path / "image")
    subprocess.run(["bash", "-ec", steps("RUN")[0].replace("python ", f"{sys.executable} ", 1)], cwd=folder, check=True)
    pins = (folder / "constraints.txt").read_text().splitlines()
    assert {"torch==2.13.0", "monai==1.6.1"} <= set(pins)
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", pin) for pin in pins)


def test_both_containers_are_made_alike():
    recipe = (ROOT / "apptainer.def").read_text()
    files = re.findall(r"(?m)^ +(\S+) /opt/brain-ae/", recipe)
    assert files == [source for step in steps("COPY") for source in step.split()[:-1]]
    assert all(step in recipe for step in steps("RUN"))
    assert f"From: {steps('FROM')[0]}" in recipe
    assert "exec brain-ae bids" in recipe
    assert steps("ENTRYPOINT") == ['["brain-ae", "bids"]']


@pytest.fixture
def started(tmp_path, monkeypatch) -> Path:
    """Lists of labels, and a program that writes down how it was called."""
    program, record = tmp_path / "program", tmp_path / "started"
    program.write_text(f'#!/usr/bin/env bash\nprintf "%s\\n" "$OMP_NUM_THREADS" "$@" > "{record}"\n')
    program.chmod(0o755)
    (tmp_path / "list").write_bytes(b"sub-01\r\n\nsub-02\nx 3\n")
    monkeypatch.setenv("BRAIN_AE", f"{program} run")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for name in ("SLURM_ARRAY_TASK_ID", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "2")
    return record


def slurm(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("task", "label"), [(1, "sub-01"), (2, "sub-02"), (3, "x 3")])
def test_each_task_is_a_subject(started, monkeypatch, task, label):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
    assert slurm("a b", "OUT", started.parent / "list", "--skip_existing").returncode == 0
    expected = ["2", "run", "a b", "OUT", "participant", "--participant_label", label, "--skip_existing"]
    assert started.read_text().splitlines() == expected


def test_a_job_without_tasks_is_the_group(started, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    assert slurm("IN", "OUT", started.parent / "list").returncode == 0
    expected = ["7", "run", "IN", "OUT", "group", "--participant_label", "sub-01", "sub-02", "x 3"]
    assert started.read_text().splitlines() == expected


def test_outside_of_a_job_it_says_how_to_submit(started):
    """What it says, with an ``sbatch`` that only writes down what it is told."""
    sbatch = started.parent / "sbatch"
    sbatch.write_text(f'#!/usr/bin/env bash\nprintf "%s|" "$@" >> "{started}"\necho >> "{started}"\necho 77\n')
    sbatch.chmod(0o755)
    said = slurm("a b", "OUT", started.parent / "list", "--skip_existing").stdout
    subprocess.run(["bash", "-ec", f"PATH={started.parent}:$PATH\n{said}"], check=True, capture_output=True)
    files = f"{SCRIPT}|a b|OUT|{started.parent}/list|"
    assert started.read_text().splitlines() == [
        f"--parsable|--array=1-3|{files}--skip_existing|",
        f"--dependency=afterany:77|--output=%x-group-%j.out|{files}",
    ]


@pytest.mark.parametrize(
    ("task", "arguments", "message"),
    [
        ("", ["IN"], "usage: bash configs/hw/slurm_bids.sh BIDS_DIR OUT LIST"),
        ("", ["IN", "OUT", "nothing"], "error: there is no list nothing: make it with  ls IN | grep ^sub- > nothing"),
        ("4", ["IN", "OUT", "list"], "error: task 4 of 3: submit with --array=1-3"),
        ("0", ["IN", "OUT", "list"], "error: task 0 of 3: submit with --array=1-3"),
    ],
)
def test_what_makes_no_sense_ends_with_one_line(started, monkeypatch, task, arguments, message):
    monkeypatch.chdir(started.parent)
    if task:
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", task)
    done = slurm(*arguments)
    assert (done.returncode, done.stderr.splitlines()[0][: len(message)]) == (2, message)
    assert not started.exists()


def test_shellcheck_finds_nothing():
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    subprocess.run(["shellcheck", SCRIPT], check=True)
