# SPDX-License-Identifier: Apache-2.0
"""Every command of the pages is run with small inputs, or listed here with the reason why it is not."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import pytest

from scripts.commands.arguments import parse
from scripts.commands.front import Command
from tests.helpers.documented import Workplace, commands

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "bundle").glob("*/README.md"))]
COMMANDS_OF = {command: page.relative_to(ROOT) for page in reversed(PAGES) for command in reversed(commands(page))}
"""Each with the first page that shows it, last page first."""

NOT_RUN = {
    r"^(make|bash tests/label|source|cd|mkdir) ": "what the Makefile does is run by the CI, or by hand for a release",
    r"^make$|make web": "needs npm",
    r"^(monailabel|curl) ": "needs a server: make label",
    r"^pip ": "installs: tests/install",
    r"^(docker|apptainer) ": "needs a container runtime: tests/test_containers.py checks the recipes",
    r"^sbatch |slurm_bids": "needs SLURM: tests/test_containers.py runs the script without it",
    r"(inference|train|onnx_export)\.json|ckpt_export|bundle download": "of a built bundle: tests/test_bundle.py",
    r"-c \"from monai": "needs a network, or is in tests/test_bundle.py",
    r"studies\.": "measures the project, for minutes to hours: tests/studies",
    r"import-keras|published\.pt": "needs the weights of the thesis: tests/commands/test_import_keras.py",
    r"IXI": "needs the IXI heads: tests with real data",
    r"CONTROLS|CALIBRATED": "needs 19 healthy heads: tests/anomaly/test_calibration.py",
    r"chart learn": "needs ten heads of each sex: tests/normative/test_chart.py",
    r"^brain-ae bids|scripts bids": "needs a BIDS dataset: tests/anomaly/bids",
    r"scripts view": "is a server that does not end: tests/commands/test_view.py",
    r"SUBJECT|HEAD_DLMUSE|R\.yaml|BUNDLE": "has names of the reader's own",
}
"""Reasons, by what a command has in it."""
SHORT = {
    r"run training|scripts train": "--max_epochs 1 --num_workers 0 --overwrite true",
    r"recipe/restorer\.yaml": "--lr_scheduler#minutes 0.1",
    r"scripts demo gallery": "--pictures PICTURES",
}
"""Options that make a command short, by what it has in it."""


def reason(command: str) -> str | None:
    return next((text for pattern, text in NOT_RUN.items() if re.search(pattern, command)), None)


def is_ours(command: str) -> bool:
    return command.startswith(("brain-ae ", "python -m scripts "))


def test_each_command_is_run_or_not_for_a_reason_that_is_needed():
    run = [command for command in COMMANDS_OF if reason(command) is None]
    assert len(run) > 25
    assert [pattern for pattern in NOT_RUN if not any(re.search(pattern, command) for command in COMMANDS_OF)] == []


@pytest.mark.parametrize("command", list(filter(is_ours, COMMANDS_OF)))
def test_arguments_are_known(command):
    words = shlex.split(command)
    words = words[1:] if words[0] == "brain-ae" else words[3:]
    ours: Command = import_module(f"scripts.commands.{words[0].replace('-', '_')}").COMMAND
    words = words[1:]
    while isinstance(ours, Mapping):
        ours, words = ours[words[0]], words[1:]
    assert parse(ours, "brain-ae", words)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    return Workplace(ROOT, tmp_path_factory.mktemp("checkout"))


@pytest.mark.slow
@pytest.mark.parametrize("command", [one for one in reversed(COMMANDS_OF) if reason(one) is None])
def test_command_does_what_the_page_says(command, workplace):
    also = " ".join(options for pattern, options in SHORT.items() if re.search(pattern, command))
    done = workplace.run(command, also)
    assert done.returncode == 0, f"{COMMANDS_OF[command]}: {command}\n{done.stderr[-2000:]}"
