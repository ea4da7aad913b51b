# SPDX-License-Identifier: Apache-2.0
"""``bids BIDS_DIR OUT participant|group``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from .arguments import Count
from .front import say, start_logging, usage_errors

if TYPE_CHECKING:
    from ..anomaly.bids.participant import SubjectJob

__all__ = ["COMMAND", "bids"]

MOST_NAMED = 10
"""Failed subjects that the last line names; each has a line of its own above."""

logger = logging.getLogger(__name__)


def bids(
    bids_dir: Annotated[str, "BIDS_DIR"],
    output_dir: str,
    analysis_level: Annotated[Literal["participant", "group"], "participant|group"],
    *,
    participant_label: Sequence[str] | None = None,
    session_label: Sequence[str] | None = None,
    skip_existing: bool = False,
    n_procs: Count = 1,
    gate: bool = True,
    calibration: str = "",
    device: str = "",
    max_memory: float = 8.0,
) -> None:
    """Restore the T1-weighted heads of a BIDS dataset and map what is anomalous; research use, not for diagnosis.

    participant: for each T1w image, OUT gets the restored one, its uncertainty, a mask of what was filled, the anomaly
    map, its clusters and a mask of the brain, and for each subject a page, sub-01.html; OUT is a BIDS derivative.
    group: group.html and group.tsv list verdicts, warnings, clusters and brain volumes of all subjects. An image that
    cannot be processed stops no other; it is named, and the exit status is then 1.

    Args:
        bids_dir: root of the dataset.
        output_dir: folder of the results.
        analysis_level: of each subject, or of all.
        participant_label: subjects, with or without sub-; all of them by default.
        session_label: sessions, with or without ses-; all of them by default.
        skip_existing: keep results that were made of the same files with the same settings, as after a run that was
            killed.
        n_procs: subjects at a time, each in a process of its own; they share the processors.
        gate: leave alone what is fine or lies outside of the training; false restores everything.
        calibration: what anomaly --calibrate CONTROLS wrote of healthy heads of the same scanner; by default, that
            which is shipped.
        max_memory: gigabytes that an image may take; what needs more is refused before it is read.
    """
    from ..anomaly.bids.dataset import select_subjects
    from ..anomaly.bids.group import GROUP_PAGE, write_group
    from ..anomaly.bids.participant import SubjectJob, describe_results
    from ..recipes.workflow import as_text
    from .anomaly import DETECTOR

    root, results = Path(bids_dir), Path(output_dir)
    with usage_errors():
        subjects = select_subjects(root, participant_label or (), session_label or ())
        if calibration and not Path(calibration).is_file():
            raise FileNotFoundError(f"there is no calibration at {calibration}: make one with anomaly --calibrate.")
        describe_results(root, results)
    if analysis_level == "group":
        failed = {name: [why] for name, why in write_group(results, subjects).items()}
        say(str(results / GROUP_PAGE))
        total, what = sum(len(one.images) or 1 for one in subjects), "images"
    else:
        chosen = {"device": device} if device else {}
        settings: dict[str, Any] = {
            "detector": DETECTOR,
            "restoration": {**chosen, "gate": gate, "max_memory": max_memory},
            "mapping": {**chosen, **({"calibration": as_text(calibration)} if calibration else {})},
            "skip_existing": skip_existing,
        }
        failed = _participants([SubjectJob(root, results, one, **settings) for one in subjects], n_procs)
        total, what = len(subjects), "subjects"
    for name, problems in failed.items():
        for problem in problems:
            logger.warning("failed: %s: %s", name, problem)
    if failed:
        named = ", ".join([*list(failed)[:MOST_NAMED], *(["..."] if len(failed) > MOST_NAMED else [])])
        raise ValueError(f"{len(failed)} of {total} {what} have no results, or not all: {named}.")


def _participants(jobs: Sequence[SubjectJob], n_procs: int) -> dict[str, list[str]]:
    """Process subjects, and name the page of each as it is done; of those that failed, the reasons."""
    from ..anomaly.bids.participant import process_subject
    from ..anomaly.bids.results import subject_page
    from ..files.errors import failure_reason
    from ..files.workers import run_in_processes

    failed: dict[str, list[str]] = {}
    for job, outcome in run_in_processes(process_subject, jobs, n_procs, _prepare):
        name, page = f"sub-{job.subject.label}", job.output_dir / subject_page(job.subject.label)
        problems = [failure_reason(outcome)] if isinstance(outcome, BaseException) else outcome
        if problems:
            failed[name] = problems
        if page.is_file() and not isinstance(outcome, BaseException):
            say(str(page))
    return failed


def _prepare() -> None:
    """Let a process log as this one does; what it prints is no result."""
    sys.stdout = sys.stderr
    start_logging()


COMMAND = bids
