# SPDX-License-Identifier: Apache-2.0
"""What became of each image, as the reports beside the results have it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ...inference.report import REPORT
from .dataset import BidsSubject

__all__ = ["FAILED", "ImageResult", "image_results", "read_report", "subject_page"]

FAILED = "failed"
"""Key of a report: why a folder was given up."""


@dataclass(frozen=True)
class ImageResult:
    """An image and its results.

    Attributes:
        subject: label of the subject.
        session: label of the session; "" without one.
        image: path of the image in its dataset.
        problem: why it has no results; "" where it has all of them.
        restored: entry of the report.
        mapped: likewise, of its anomaly map.
    """

    subject: str
    session: str
    image: PurePosixPath
    problem: str
    restored: dict[str, Any] = field(default_factory=dict)
    mapped: dict[str, Any] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """What to heed, each once."""
        return list(dict.fromkeys([*self.restored.get("warnings", ()), *self.mapped.get("warnings", ())]))


def subject_page(label: str) -> str:
    """Name of the page of a subject."""
    return f"sub-{label}.html"


def read_report(folder: Path) -> dict[str, Any]:
    """The report of a folder of results; an empty one where there is none yet, or a damaged one."""
    try:
        content = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def image_results(output_dir: Path, subject: BidsSubject) -> list[ImageResult]:
    """Look up what became of the images of a subject.

    Args:
        output_dir: root of the results.
        subject: subject and its images.
    """
    found = []
    for folder, names in subject.images.items():
        place, report = PurePosixPath(folder), read_report(output_dir / folder)
        maps = report.get("anomaly", {})
        restored, mapped = _by_name(report, "restored"), _by_name(maps, "mapped")
        skipped = {**_by_name(maps, "skipped"), **_by_name(report, "skipped")}
        session = place.parts[1].removeprefix("ses-") if len(place.parts) == 3 else ""
        for name in names:
            problem = skipped.get(name, {}).get("reason", "")
            if not (problem or (name in restored and name in mapped)):
                problem = report.get(FAILED) or ("it was not finished." if report else "it was not processed.")
            facts = restored.get(name, {}), mapped.get(name, {})
            found.append(ImageResult(subject.label, session, place / name, problem, *facts))
    return found


def _by_name(report: dict[str, Any], key: str) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in report.get(key, ())}
