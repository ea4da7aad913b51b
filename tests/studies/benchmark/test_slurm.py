# SPDX-License-Identifier: Apache-2.0
"""A benchmark as a job array: which cell a task runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts" / "studies" / "benchmark" / "slurm_benchmark.sh"


@pytest.fixture
def started(tmp_path, monkeypatch) -> Path:
    """A task of a job; what would be started is written to a file."""
    program, record = tmp_path / "python", tmp_path / "started"
    program.write_text(f'#!/usr/bin/env bash\nprintf "%s\\n" "$@" > {record}\n')
    program.chmod(0o755)
    for name, value in {"PYTHON": program, "SLURM_CPUS_PER_TASK": 16, "SLURM_SUBMIT_DIR": ROOT}.items():
        monkeypatch.setenv(name, str(value))
    return record


def sbatch(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", str(SCRIPT), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("task", "cell"), [(0, ("a", "0")), (1, ("a", "1")), (2, ("b", "0")), (3, ("b", "1"))])
def test_each_task_of_the_array_is_one_cell(started, monkeypatch, task, cell):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
    done = sbatch("DATA", "OUT", "a,b", "0,1", "--max_epochs", "7")
    assert done.returncode == 0, done.stderr
    assert " ".join(started.read_text().splitlines()) == (
        "-m scripts.studies.benchmark --recipes {} --seeds {} --dataset_dir DATA --output_dir OUT "
        "--threads 16 --jobs 1 --max_epochs 7".format(*cell)
    )


def test_a_task_too_many_says_how_many_there_are(started, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "4")
    done = sbatch("DATA", "OUT", "a,b", "0,1")
    assert (done.returncode, done.stderr) == (2, "error: task 4 of 4: submit with --array=0-3\n")


def test_the_script_names_what_is_there():
    assert sbatch().stderr.startswith("usage: sbatch")
    text = SCRIPT.read_text()
    assert (ROOT / re.search(r"scripts/studies/\S+\.sh", text)[0]) == SCRIPT
    assert all(
        (ROOT / f"configs/recipe/{name}.yaml").is_file() for name in ("residual_unet_mse", "thesis_skip_cae_mse")
    )
