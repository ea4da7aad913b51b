# SPDX-License-Identifier: Apache-2.0
"""The commands that a page shows, and how they are run with small inputs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from scripts.data.demo.cohort import ensure_demo_cohort
from tests.helpers.volume_files import write_series

__all__ = ["Workplace", "commands"]

BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELL = ("", "bash", "sh")
"""Languages of a block of commands."""
PROGRAMS = (
    "apptainer", "bash", "brain-ae", "cd", "curl", "docker", "make", "mkdir", "monailabel", "OMP_NUM_THREADS", "pip",
    "python", "sbatch", "source", "torchrun",
)  # fmt: skip
"""What a command begins with; other lines of a block are its output, or a listing."""


def commands(page: Path) -> list[str]:
    """The commands of a page, comments and brackets of what may be left out removed, each on one line."""
    found = []
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in re.sub(r"\\\n\s*", "", block).splitlines() if language in SHELL else ():
            command = re.sub(r"\s+", " ", re.sub(r"\s#\s.*$|\[(?=--)|(?<=\w)\](?=\s|$)", "", line)).strip()
            if command.startswith(PROGRAMS):
                found.append(command)
    return found


class Workplace:
    """A copy of the checkout with small inputs under the names that the pages use.

    Args:
        root: the checkout.
        folder: an empty folder.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder, self.runs = folder, 0
        tracked = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
        for name in filter(None, tracked.split("\0")):
            if (root / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, folder / name)
        cohort = ensure_demo_cohort(folder / "DATA", spacing_mm=2.5)
        images = sorted((cohort / "images").glob("*.nii.gz"))
        for name in ("IN", "IMAGES", "MASKS"):
            (folder / name).mkdir()
        for image in images:
            shutil.copyfile(image, folder / "IMAGES" / image.name)
        shutil.copyfile(images[0], folder / "IN" / "head.nii.gz")
        head = nib.load(images[0])
        mask = np.zeros(head.shape, np.uint8)
        mask[tuple(slice(n // 2, n // 2 + 4) for n in head.shape)] = 1
        nib.save(nib.Nifti1Image(mask, head.affine), folder / "MASKS" / "head.nii.gz")
        write_series(folder / "SERIES" / "head", np.asarray(head.dataobj))

    def run(self, command: str, also: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command with its placeholders filled in; each has an ``OUT`` of its own.

        Args:
            command: the command of a page.
            also: options that make it short.
        """
        self.runs += 1
        names = {"OUT": f"OUT{self.runs}", "TABLE": "DATA/subjects.csv", "AR_VAE_MODEL.pt": "bundle/ar_vae/model.pt"}
        if " prepare " in command:
            names |= {"IN": "IMAGES", "HEADS": "IMAGES", "DATA": f"DATA{self.runs}"}
        elif "--dicom" in command:
            names["IN"] = "SERIES"
        words = [names.get(word, word) for word in shlex.split(f"{command} {also}")]
        if words[0] == "brain-ae":
            words[:1] = [sys.executable, "-m", "scripts"]
        elif words[0] == "torchrun":
            words[:1] = [sys.executable, "-m", "torch.distributed.run"]
        else:
            words[0] = {"python": sys.executable}.get(words[0], words[0])
        return subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=600, check=False)
