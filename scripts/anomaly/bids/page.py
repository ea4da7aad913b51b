# SPDX-License-Identifier: Apache-2.0
"""The page of a subject: verdicts, what was restored, what is anomalous; made of the files of the results."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from monai.data import MetaTensor

from ...files.sidecar import sidecar_path
from ...inference.report import REPORT
from ...pages.change_views import change_figure
from ...pages.page import Section, write_sections
from ...transforms import LoadVolumed
from ..results import read_clusters
from ..sections import NOTE, findings, map_pictures, slices
from .dataset import select_subjects
from .results import ImageResult, image_results, subject_page

__all__ = ["write_subject_page"]


def write_subject_page(bids_dir: Path, output_dir: Path, label: str) -> Path:
    """Write the page of a subject, of all its sessions that have results; not, if it is newer than these.

    Args:
        bids_dir: root of the dataset.
        output_dir: root of the results.
        label: of the subject.

    Returns:
        The file.
    """
    (subject,) = select_subjects(bids_dir, [label])
    path = output_dir / subject_page(label)
    reports = [output_dir / folder / REPORT for folder in subject.images]
    times = [report.stat().st_mtime_ns for report in reports if report.is_file()]
    if times and path.is_file() and path.stat().st_mtime_ns > max(times):
        return path
    results = [one for one in image_results(output_dir, subject) if (output_dir / one.image.parent / REPORT).is_file()]
    sections = [section for one in results for section in _sections(one, bids_dir, output_dir)]
    facts = [f"{one.image.name}: {one.problem or in_words(one)}" for one in results]
    warnings = [f"{one.image.name}: {text}" for one in results for text in one.warnings]
    write_sections(f"sub-{label}", NOTE, facts, sections, path, warnings)
    return path


def in_words(one: ImageResult) -> str:
    """The results of an image in a line."""
    clusters = one.mapped["clusters"]
    return (
        f"{one.restored['verdict']}; {clusters} {'cluster is' if clusters == 1 else 'clusters are'} called; "
        f"the brain has {one.mapped['brain_ml']:.0f} ml."
    )


def _sections(one: ImageResult, bids_dir: Path, output_dir: Path) -> list[Section]:
    """What there is to see of an image."""
    if one.problem:
        return [Section(one.image.name, f"No results: {one.problem}")]
    folder = output_dir / one.image.parent
    files = [*(one.restored[key] for key in ("output", "output_uncertainty", "output_mask")), *one.mapped["outputs"]]
    image = _load(bids_dir / one.image)
    restored, uncertainty, filled = (_load(folder / name) for name in files[:3])
    maps = [_load(folder / name).as_tensor()[0] for name in files[3:] if name.endswith(".nii.gz")]
    (table,) = (name for name in files if name.endswith(".tsv"))
    facts = json.loads(sidecar_path(folder / files[3]).read_text(encoding="utf-8"))
    share = float(np.mean(np.asarray(filled) > 0))
    caption = (
        f"Three planes through the middle. {100 * share:.2f} % of the voxels were filled rather than measured. What "
        "is restored is a guess, what it changes is no finding."
    )
    pictures = map_pictures(image, *maps)
    called = findings(read_clusters(folder / table), pictures, facts["Level"], facts["HealthyHeads"])
    called.text += f" The scale: {facts['Calibration']}; on another scanner, p-values are false."
    links = {name: str(one.image.parent / name) for name in files if not name.endswith(".json")}
    return [
        Section(one.image.name, one.restored["reason"], figures={caption: change_figure(image, restored, uncertainty)}),
        called,
        slices(pictures),
        Section("Files", "", links=links),
    ]


def _load(path: Path) -> MetaTensor:
    return LoadVolumed("image")({"image": os.fspath(path), "series": ""})["image"]
