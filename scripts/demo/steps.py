# SPDX-License-Identifier: Apache-2.0
"""The steps of the demo: a cohort, a brief training, its evaluation, a damaged head restored, and a page about it."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from monai.data import MetaTensor

from ..data.cohort import load_cohort, load_datalist
from ..data.demo.cohort import NUM_SUBJECTS, ensure_demo_cohort
from ..data.split import PARTS
from ..files.child import run_logged
from ..pages.head_views import restoration_figure, save_figure
from ..recipes.places import PACKAGE, PROGRAM
from .gallery import write_gallery
from .report import DemoResults, DemoStep, write_demo_report
from .restoration import Restoration, compare_heads, damage_head, read_head

__all__ = ["Demo"]

#: Planes of the pictures; the sagittal slice is chosen by its damage.
README_VIEWS = ("sagittal", "axial")
REPORT_VIEWS = ("sagittal", "coronal", "axial")
#: Smaller than the recipe's: more steps for the few slices of the demo.
BATCH_SIZE = 8

logger = logging.getLogger(__name__)


class Demo:
    """Show on synthetic heads, without any download, what the project does.

    Args:
        output_dir: folder of everything that is made.
        num_subjects: number of heads of the cohort.
        spacing_mm: voxel size of the cohort in mm.
        weights: weights that restore the damaged head; if empty, the shipped ones, which were trained on real heads.
        seed: seed of the cohort, the training and the damage.

    Raises:
        ChildProcessError: a step failed; the message has the end of its log.
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str] = "eval/demo",
        *,
        num_subjects: int = NUM_SUBJECTS,
        spacing_mm: float = 2.0,
        weights: str = "",
        seed: int = 0,
    ) -> None:
        self.folder = Path(output_dir)
        self.weights, self.seed = weights, seed
        self.steps: list[DemoStep] = []
        self.cohort = self._step(
            f"make a cohort of {num_subjects} synthetic heads",
            "scripts.data.demo.cohort.ensure_demo_cohort()",
            lambda: ensure_demo_cohort(self.folder / "cohort", num_subjects, seed, spacing_mm),
        )

    def write_report(self, max_epochs: int = 10) -> Path:
        """Train the default recipe from random weights, evaluate it, restore a damaged head, and write a page about it.

        Args:
            max_epochs: length of the training.

        Returns:
            The page, ``report.html``.
        """
        training, places = self.folder / "training", (str(self.cohort), str(self.folder / "training"))
        self._command(
            f"train the default recipe (epochs: {max_epochs})", "train", *places, "--seed", str(self.seed),
            "--max_epochs", str(max_epochs), "--batch_size", str(BATCH_SIZE), "--overwrite",
        )  # fmt: skip
        self._command(
            "evaluate it on the test subjects", "evaluate", *places, "--seed", str(self.seed),
            "--kinds", "mixed,holes,clean", "--severities", "3",
        )  # fmt: skip
        results = DemoResults(
            seed=self.seed,
            cohort=load_cohort(self.cohort),
            heads=self._captioned_heads(),
            history=training / "history.csv",
            summary=training / "summary.csv",
            restoration=self._restore(REPORT_VIEWS),
            weights=self.weights or "the shipped weights, trained on real heads",
            steps=self.steps,
        )
        page = self.folder / "report.html"
        write_demo_report(results, page)
        return page

    def write_figure(self, picture: str | os.PathLike[str]) -> None:
        """Restore a damaged head and draw it, for the README."""
        head = self._restore(README_VIEWS)
        save_figure(restoration_figure(head.clean, head.damaged, head.restored, head.views), Path(picture))

    def write_gallery(self, pictures: str | os.PathLike[str]) -> list[Path]:
        """Draw a test head under each kind of damage, and what the restorer makes of it.

        Args:
            pictures: folder of the pictures.

        Returns:
            Their files.
        """
        item = load_datalist(self.cohort, "test")[0]
        return list(write_gallery(item["image"], item["subject"], Path(pictures), self.weights, self.seed))

    def _step(self, title: str, shown: str, function: Callable[[], Any]) -> Any:
        """Call a function as one step, and note how long it took."""
        logger.info("\n[%d] %s\n    %s", len(self.steps) + 1, title, shown)
        start = time.perf_counter()
        result = function()
        self.steps.append(DemoStep(title, shown, time.perf_counter() - start))
        logger.info("    done in %.0f s", self.steps[-1].seconds)
        return result

    def _command(self, title: str, *words: str) -> None:
        """Run a command of the project as one step; what it says is kept in a log file."""
        log = self.folder / "logs" / f"{words[0]}.log"
        shown = " ".join((PROGRAM, *words))
        self._step(title, shown, lambda: run_logged([sys.executable, "-m", PACKAGE, *words], log))

    def _restore(self, planes: Sequence[str]) -> Restoration:
        """Damage a test head, restore it, and compare."""
        item = load_datalist(self.cohort, "test")[0]
        damaged_dir, restored_dir = self.folder / "damaged", self.folder / "restored"
        for left_over in (damaged_dir, restored_dir):
            shutil.rmtree(left_over, ignore_errors=True)
        damaged = damaged_dir / Path(item["image"]).name
        self._step(
            f"damage {item['subject']}, a test head",
            "scripts.demo.restoration.damage_head()",
            lambda: damage_head(item["image"], item["subject"], damaged, self.seed),
        )
        network = str({"_target_": f"{PACKAGE}.networks.ResidualUNet", "spatial_dims": 2, "residual_output": True})
        slices = ("--weights", self.weights, "--spatial_dims", "2", "--network_def", network)
        words = slices if self.weights else ("--gate", "false")  # synthetic heads are outside of the training
        self._command("restore it", "restore", str(damaged_dir), str(restored_dir), *words)
        (restored,) = restored_dir.glob("*restored*.nii.gz")
        return compare_heads(item["subject"], item["image"], damaged, restored, planes)

    def _captioned_heads(self) -> dict[str, MetaTensor]:
        """All heads of the cohort in network space, by their caption."""
        items = [item for part in PARTS for item in load_datalist(self.cohort, part)]
        ordered = sorted(items, key=lambda item: item["subject"])
        return {f"{one['subject']}: {one['sex']}, {one['age']:.0f} years": read_head(one["image"]) for one in ordered}
