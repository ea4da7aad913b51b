# SPDX-License-Identifier: Apache-2.0
"""The Dockerfile, step by step."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", "")


def steps(word: str) -> list[str]:
    """What follows an instruction, such as ``RUN``."""
    return re.findall(rf"(?m)^{word} +(.*)$", DOCKERFILE)


def copied(folder: Path) -> Path:
    """What the Dockerfile copies out of what git knows, and nothing else."""
    folder.mkdir()
    for step in steps("COPY"):
        *sources, target = step.split()
        for source in sources:
            known = subprocess.run(["git", "ls-files", source], cwd=ROOT, capture_output=True, text=True, check=True)
            files = known.stdout.splitlines()
            assert files, f"git knows no {source}"
            for file in files:
                place = folder / target / (Path(file).name if file == source else Path(file).relative_to(source))
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / file, place)
    return folder
