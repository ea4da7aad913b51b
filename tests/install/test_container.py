# SPDX-License-Identifier: Apache-2.0
"""The steps of the Dockerfile in an empty environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.helpers.container import copied, steps

pytestmark = pytest.mark.install


def test_the_steps_make_a_program_that_answers(tmp_path):
    """All steps but the base image, in an empty environment."""
    folder, venv = copied(tmp_path / "image"), tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    index = os.environ.get("TORCH_INDEX", "https://pypi.org/simple")
    variables = {**os.environ, "PATH": f"{venv}/bin:{os.environ['PATH']}", "TORCH_INDEX": index}
    for step in steps("RUN"):
        subprocess.run(["bash", "-ec", step], cwd=folder, env=variables, check=True)
    called = subprocess.run([f"{venv}/bin/brain-ae", "bids", "-v"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", called.stdout)
