# SPDX-License-Identifier: Apache-2.0
"""One subject of a BIDS dataset: its images restored and mapped, and its page."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ... import __version__
from ...files.atomic import write_json
from ...files.bids import write_derivative_description
from ...files.errors import failure_reason, unwrapped
from ...files.hashes import content_hash, file_hash
from ...files.sidecar import sidecar_path
from ...inference.report import COMPANIONS, REPORT, SOFTWARE, SkippedVolumesError
from ...recipes.places import PUBLISHED
from ...recipes.recipe import Recipe
from ...recipes.workflow import INFERENCE, recipe_workflow
from ..folder import FolderMapper
from .dataset import NO_IMAGE, T1W, BidsSubject
from .group import GROUP_TABLE
from .page import write_subject_page
from .results import FAILED, image_results, read_report

__all__ = ["SubjectJob", "describe_results", "process_subject"]

MADE_OF = "made_of"
"""Key of a report: hash of all that determines the results of a folder."""


@dataclass(frozen=True)
class SubjectJob:
    """What is to be done for a subject.

    Attributes:
        bids_dir: root of the dataset.
        output_dir: root of the results.
        subject: the subject, with those of its images that are wanted.
        detector: name of a file of ``configs/detector``.
        restoration: values of keys of ``configs/inference.yaml``.
        mapping: values of keys of ``configs/anomaly.yaml``.
        skip_existing: keep what was made of the same files with the same settings.
    """

    bids_dir: Path
    output_dir: Path
    subject: BidsSubject
    detector: str
    restoration: dict[str, Any] = field(default_factory=dict)
    mapping: dict[str, Any] = field(default_factory=dict)
    skip_existing: bool = False


def describe_results(bids_dir: Path, output_dir: Path) -> None:
    """Make a folder the derivative of a dataset, before anything else is written into it.

    Raises:
        ValueError: it is the dataset itself, or lies within a subject of it.
        OSError: it cannot be written to.
    """
    place, root = output_dir.resolve(), bids_dir.resolve()
    if place == root or any(one.parent == root and one.name.startswith("sub-") for one in (place, *place.parents)):
        raise ValueError(
            f"{output_dir} lies among the images: give a folder such as {bids_dir}/derivatives/{SOFTWARE}."
        )
    if place.exists() and not place.is_dir():
        raise NotADirectoryError(f"{output_dir} is a file: give a folder for the results.")
    place.mkdir(parents=True, exist_ok=True)
    write_derivative_description(bids_dir, output_dir, SOFTWARE, __version__, REPORT, "*.html", GROUP_TABLE)


def process_subject(job: SubjectJob) -> list[str]:
    """Restore and map the images of a subject, and write its page.

    Args:
        job: what is to be done.

    Returns:
        A line for each image without results that says why.
    """
    if not job.subject.images:
        return [NO_IMAGE]
    given_up: dict[str, str] = {}
    for folder in job.subject.images:
        try:
            _process(job, folder)
        except Exception as error:  # whatever it is, it concerns this folder alone
            given_up[folder] = failure_reason(unwrapped(error))
            if not isinstance(error, BlockingIOError):  # the report is that of another process
                _note(job.output_dir / folder, **{FAILED: given_up[folder]})
    write_subject_page(job.bids_dir, job.output_dir, job.subject.label)
    results = image_results(job.output_dir, job.subject)
    of_images = {
        str(one.image): one.problem for one in results if one.problem and str(one.image.parent) not in given_up
    }
    return [f"{place}: {problem}" for place, problem in (given_up | of_images).items()]


def _process(job: SubjectJob, folder: str) -> None:
    """Restore and map the images of a folder, unless that was done."""
    images, results = job.bids_dir / folder, job.output_dir / folder
    made_of = _made_of(job, folder)
    if job.skip_existing and _is_whole(results, made_of):
        return
    settings = {**job.restoration, "uncertainty": True, "skip_existing": job.skip_existing, "handlers": []}
    workflow = recipe_workflow(INFERENCE, "inference", {"patterns": list(T1W), **settings}, str(images), str(results))
    report = workflow.parser.get_parsed_content("report")
    report.bids_dir, report.names_results = job.bids_dir, False
    try:
        workflow.run()
    except RuntimeError as error:  # MONAI's, around what happened
        if not isinstance(error.__cause__, SkippedVolumesError):
            raise
    recipe = Recipe("anomaly", ("configs/anomaly.yaml", f"configs/detector/{job.detector}.yaml"))
    parser = recipe_workflow(
        recipe, "inference", {"patterns": list(T1W), **job.mapping}, str(images), str(results)
    ).parser
    mapper: FolderMapper = parser.get_parsed_content("folder")
    mapper.bids_dir, mapper.within_report = job.bids_dir, True
    with suppress(ValueError):  # the report names what was skipped
        mapper.run()
    if not (report.skipped or mapper.skipped):
        _note(results, **{MADE_OF: made_of})


def _made_of(job: SubjectJob, folder: str) -> str:
    """Hash of the images of a folder (names, sizes, times) and of all that is done with them."""
    images = [job.bids_dir / folder / name for name in job.subject.images[folder]]
    files = [path for image in images for path in (image, sidecar_path(image)) if path.is_file()]
    states = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]
    used = [PUBLISHED / "brain_mri_restorer/model.pt", Path(job.mapping.get("calibration", ""))]
    settings = [job.detector, job.restoration.get("gate", True)]
    return content_hash([__version__, states, settings, [file_hash(path) for path in used]])


def _is_whole(results: Path, made_of: str) -> bool:
    """Whether all results of a folder are there, made of the same."""
    report = read_report(results)
    entries = [*report.get("restored", ()), *report.get("anomaly", {}).get("mapped", ())]
    files = [entry[key] for entry in entries for key in ("output", *COMPANIONS) if key in entry]
    files += [file for entry in entries for file in entry.get("outputs", ())]
    return report.get(MADE_OF) == made_of and all((results / file).is_file() for file in files)


def _note(results: Path, **facts: str) -> None:
    """Add to the report of a folder."""
    with suppress(OSError):  # the disk is full, or nobody may write there: the caller says so
        write_json(results / REPORT, read_report(results) | facts)
