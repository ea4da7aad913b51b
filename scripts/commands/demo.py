# SPDX-License-Identifier: Apache-2.0
"""The demo: a synthetic cohort, a brief training, its evaluation, a damaged head restored, and a page that shows it.

Run it with ``python -m scripts demo`` (``make demo`` sets up the environment first), or only the figure of the README
with ``python -m scripts demo figure``.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fire
from monai.data import MetaTensor

from ..data.cohort import load_cohort, load_datalist
from ..data.demo.cohort import NUM_SUBJECTS, ensure_demo_cohort
from ..data.split import PARTS
from ..demo.report import DemoResults, Step, write_demo_report
from ..demo.restoration import Restoration, compare_heads, damage_head, read_head
from ..files.errors import clean_exit
from ..pages.head_views import restoration_figure, save_figure
from ..recipes.places import ROOT

__all__ = ["demo"]

TRAIN_CONFIG, EVALUATE_CONFIG, INFERENCE_CONFIG = (
    f"configs/{name}.yaml" for name in ("train", "evaluate", "inference")
)
SHIPPED_WEIGHTS = "bundle/brain_mri_autoencoder/model.pt"
#: Planes of the pictures; the sagittal slice is chosen by its damage.
README_VIEWS = ("sagittal", "axial")
REPORT_VIEWS = ("sagittal", "coronal", "axial")
LOG_LINES_SHOWN = 25
#: Smaller than the recipe's: more steps for the few slices of the demo.
BATCH_SIZE = 8


@clean_exit()
def demo(
    task: str = "report",
    output_dir: str = "eval/demo",
    max_epochs: int = 10,
    num_subjects: int = NUM_SUBJECTS,
    spacing_mm: float = 2.0,
    weights: str = SHIPPED_WEIGHTS,
    seed: int = 0,
    picture: str = "docs/figures/restoration.png",
) -> None:
    """Show on synthetic heads, without any download, what the project does.

    Args:
        task: "report" runs every step and writes OUTPUT_DIR/report.html; "figure" only restores a damaged head and
            writes the picture of the README.
        output_dir: folder of everything that the demo makes.
        max_epochs: length of the training.
        num_subjects: heads of the cohort.
        spacing_mm: voxel size of the cohort in mm.
        weights: what restores the damaged head; the shipped weights, which were trained on real heads.
        seed: of the cohort, the training and the damage.
        picture: file that "figure" writes.

    Raises:
        SystemExit: a step failed (the end of its log is shown), or an argument is wrong.
    """
    if task not in ("report", "figure"):
        raise ValueError(f"the task must be report or figure, got {task!r}.")
    folder = Path(output_dir).absolute()
    run = _Commands(folder / "logs")
    cohort_dir = run.call(
        f"make a cohort of {num_subjects} synthetic heads",
        "scripts.data.demo.cohort.ensure_demo_cohort()",
        lambda: ensure_demo_cohort(folder / "cohort", num_subjects, seed, spacing_mm),
    )
    if task == "figure":
        head = _restore(run, folder, cohort_dir, weights, seed, README_VIEWS)
        save_figure(restoration_figure(head.clean, head.damaged, head.restored, head.views), Path(picture))
        _say(f"\nwrote {picture}")
        return
    _train_and_evaluate(run, folder, cohort_dir, max_epochs, seed)
    results = DemoResults(
        seed=seed,
        cohort=load_cohort(cohort_dir),
        heads=_captioned_heads(cohort_dir),
        history=folder / "training" / "history.csv",
        summary=folder / "training" / "summary.csv",
        restoration=_restore(run, folder, cohort_dir, weights, seed, REPORT_VIEWS),
        weights="the shipped weights, trained on real heads" if weights == SHIPPED_WEIGHTS else weights,
        steps=run.steps,
    )
    write_demo_report(results, folder / "report.html")
    _say(f"\nwrote {_short(folder / 'report.html')}: open it in a browser")


class _Commands:
    """Runs the steps one after the other and keeps what they were and how long they took."""

    def __init__(self, log_dir: Path) -> None:
        self.log_dir = log_dir
        self.steps: list[Step] = []

    def bundle(self, title: str, name: str, *arguments: str) -> None:
        """Run ``python -m monai.bundle run NAME ARGUMENTS`` and keep what it says in a log file."""
        command = ["-m", "monai.bundle", "run", name, *arguments]
        shown = " ".join(f'"{word}"' if set(word) & set("[]' ") else word for word in ("python", *command))
        self.call(title, shown, lambda: self._subprocess(name, command))

    def call(self, title: str, shown: str, function: Callable[[], Any]) -> Any:
        """Call a function as one step."""
        _say(f"\n[{len(self.steps) + 1}] {title}\n    {shown}")
        start = time.perf_counter()
        result = function()
        self.steps.append(Step(title, shown, time.perf_counter() - start))
        _say(f"    done in {self.steps[-1].seconds:.0f} s")
        return result

    def _subprocess(self, name: str, command: Sequence[str]) -> None:
        self.log_dir.mkdir(parents=True, exist_ok=True)
        log = self.log_dir / f"{name}.log"
        _say(f"    progress: {_short(log)}")
        with log.open("w", encoding="utf-8") as file:
            done = subprocess.run([sys.executable, *command], cwd=ROOT, stdout=file, stderr=file, check=False)
        if done.returncode:
            end = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:])
            raise SystemExit(
                f"{end}\nerror: {name} ended with status {done.returncode}; its whole log is {_short(log)}"
            )


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _short(path: Path) -> str:
    """Path as a user would type it in the root of the repository."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _train_and_evaluate(run: _Commands, folder: Path, cohort_dir: Path, max_epochs: int, seed: int) -> None:
    """Train the default recipe from random weights, and evaluate what came of it."""
    common = (
        "--dataset_dir", _short(cohort_dir), "--output_dir", _short(folder / "training"), "--seed", str(seed),
    )  # fmt: skip
    run.bundle(
        f"train the default recipe (epochs: {max_epochs})", "training",
        "--config_file", TRAIN_CONFIG, *common, "--max_epochs", str(max_epochs), "--batch_size", str(BATCH_SIZE),
    )  # fmt: skip
    run.bundle(
        "evaluate it on the test subjects", "evaluating",
        "--config_file", f"['{TRAIN_CONFIG}','{EVALUATE_CONFIG}']", *common,
        "--kinds", "['mixed','holes','clean']", "--severities", "[3]",
    )  # fmt: skip


def _restore(
    run: _Commands, folder: Path, cohort_dir: Path, weights: str, seed: int, planes: Sequence[str]
) -> Restoration:
    """Damage a test head, restore it through the bundle, and compare."""
    item = load_datalist(cohort_dir, "test")[0]
    damaged_dir, restored_dir = folder / "damaged", folder / "restored"
    for left_over in (damaged_dir, restored_dir):
        shutil.rmtree(left_over, ignore_errors=True)
    damaged = damaged_dir / Path(item["image"]).name
    run.call(
        f"damage {item['subject']}, a test head",
        "scripts.demo.restoration.damage_head()",
        lambda: damage_head(item["image"], item["subject"], damaged, seed),
    )
    run.bundle(
        "restore it", "inference", "--config_file", INFERENCE_CONFIG, "--dataset_dir", _short(damaged_dir),
        "--output_dir", _short(restored_dir), "--weights", weights,
    )  # fmt: skip
    (restored,) = restored_dir.glob("*restored*.nii.gz")
    return compare_heads(item["subject"], item["image"], damaged, restored, planes)


def _captioned_heads(cohort_dir: Path) -> dict[str, MetaTensor]:
    """All heads of the cohort in network space, by their caption."""
    items = [item for part in PARTS for item in load_datalist(cohort_dir, part)]
    ordered = sorted(items, key=lambda item: item["subject"])
    return {f"{item['subject']}: {item['sex']}, {item['age']:.0f} years": read_head(item["image"]) for item in ordered}


if __name__ == "__main__":
    logging.getLogger("monai").setLevel(logging.ERROR)
    fire.Fire(demo)
