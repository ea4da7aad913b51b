# SPDX-License-Identifier: Apache-2.0
"""The wheel, built from the checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def build_wheel(root: Path, folder: Path) -> Path:
    """Build it without the network: hatchling comes from the environment of the tests."""
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(root)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel
