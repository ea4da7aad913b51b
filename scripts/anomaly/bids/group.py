# SPDX-License-Identifier: Apache-2.0
"""All subjects of a dataset: a table and a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ...files.atomic import write_csv
from ...pages.page import Section, write_sections
from ..calibration import LINE
from ..sections import NOTE
from .dataset import NO_IMAGE, BidsSubject
from .results import ImageResult, image_results, subject_page

__all__ = ["GROUP_PAGE", "GROUP_TABLE", "write_group"]

GROUP_PAGE, GROUP_TABLE = "group.html", "group.tsv"
COLUMNS = {
    "participant_id": "subject",
    "session_id": "session",
    "image": "image",
    "verdict": "verdict",
    "warnings": "warnings",
    "clusters": "clusters",
    "share_above_line": f"% of the brain above {LINE:g}",
    "brain_ml": "brain (ml)",
    "problem": "problem",
}
"""Columns of the table, and what the page calls them."""


def write_group(output_dir: Path, subjects: Sequence[BidsSubject]) -> dict[str, str]:
    """Write the table and the page of all subjects.

    Args:
        output_dir: root of the results.
        subjects: the subjects.

    Returns:
        Why an image, or a subject without any, has no results.
    """
    results = [one for subject in subjects for one in image_results(output_dir, subject)]
    rows = [_row(one) for one in results]
    rows += [{"participant_id": f"sub-{one.label}", "problem": NO_IMAGE} for one in subjects if not one.images]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).convert_dtypes()
    lacking = table[table["problem"].notna()][["participant_id", "image", "problem"]]
    write_csv(output_dir / GROUP_TABLE, table, sep="\t", na_rep="n/a")
    facts = [
        f"{len(subjects)} subjects, {len(results)} images, {len(lacking)} without results",
        *(f"{count} {verdict}" for verdict, count in table["verdict"].value_counts().items()),
        f"table: {GROUP_TABLE}",
    ]
    done = [one for one in results if not one.problem]
    sections = []
    if len(lacking):
        text = "Nothing below tells of these. Mend what is said, then run them again with --skip_existing."
        sections.append(Section("Without results", text, lacking.fillna("").rename(columns=COLUMNS)))
    text = (
        "The verdict is that of the restorer, before it changed anything. A cluster is what does not belong, with "
        f"p of at most 0.05; {LINE:g} is exceeded by 1 % of a healthy brain."
    )
    shown = table[table["problem"].isna()].drop(columns="problem")
    shown["image"] = [one.image.name for one in done]
    shown["warnings"] = [len(one.warnings) for one in done]
    shown["share_above_line"] *= 100
    pages = [subject_page(one.subject) for one in done]
    sections.append(Section("Images", text, shown.rename(columns=COLUMNS), pages=pages))
    write_sections("Group", NOTE, facts, sections, output_dir / GROUP_PAGE)
    return {str(row["image"] or row["participant_id"]): str(row["problem"]) for _, row in lacking.fillna("").iterrows()}


def _row(one: ImageResult) -> dict[str, object]:
    done = not one.problem
    return {
        "participant_id": f"sub-{one.subject}",
        "session_id": f"ses-{one.session}" if one.session else None,
        "image": str(one.image),
        "verdict": one.restored["verdict"] if done else None,
        "warnings": " ".join(one.warnings) or None,
        "clusters": one.mapped["clusters"] if done else None,
        "share_above_line": one.mapped["share_above_line"] if done else None,
        "brain_ml": one.mapped["brain_ml"] if done else None,
        "problem": one.problem or None,
    }
