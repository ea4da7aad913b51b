# SPDX-License-Identifier: Apache-2.0
"""Which T1-weighted images a BIDS dataset has."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from ...files.bids import DESCRIPTION
from ...files.errors import suggestion

__all__ = ["NO_IMAGE", "T1W", "BidsSubject", "select_subjects"]

T1W = ("*_T1w.nii.gz", "*_T1w.nii")
"""Names of T1-weighted images."""
NO_IMAGE = "it has no T1-weighted image: nothing in anat is called *_T1w.nii.gz."
MOST_NAMED = 20
"""Labels that an error lists."""


@dataclass(frozen=True)
class BidsSubject:
    """A subject and its T1-weighted images.

    Attributes:
        label: without ``sub-``.
        images: names of the images by the folder that holds them, such as ``sub-01/ses-a/anat``.
    """

    label: str
    images: dict[str, list[str]]


def select_subjects(
    bids_dir: Path, participant_label: Sequence[str] = (), session_label: Sequence[str] = ()
) -> list[BidsSubject]:
    """List the subjects of a dataset.

    A subject without any T1-weighted image is listed without images; one that has some, but in none of the chosen
    sessions, is not.

    Args:
        bids_dir: root of the dataset.
        participant_label: subjects, with or without ``sub-``; all of them by default.
        session_label: sessions, with or without ``ses-``; all of them by default.

    Raises:
        FileNotFoundError: there is no such folder, or it is no BIDS dataset.
        ValueError: the description is damaged, there is no subject, or none of a label that was given.
    """
    check_dataset(bids_dir)
    labels = [name[4:] for name in _folders(bids_dir, "sub-")]
    if not labels:
        raise ValueError(f"{bids_dir} has no subject: a BIDS dataset has folders such as sub-01.")
    chosen = _known("participant", participant_label, "sub-", labels, bids_dir)
    subjects = [BidsSubject(label, _images(bids_dir, f"sub-{label}")) for label in chosen]
    if not session_label:
        return subjects
    there = sorted({_session(folder) for subject in subjects for folder in subject.images} - {""})
    sessions = _known("session", session_label, "ses-", there, bids_dir)
    of_sessions = [
        BidsSubject(one.label, {folder: names for folder, names in one.images.items() if _session(folder) in sessions})
        for one in subjects
    ]
    return [new for new, one in zip(of_sessions, subjects, strict=True) if new.images or not one.images]


def check_dataset(bids_dir: Path) -> None:
    """Refuse a folder that is no BIDS dataset.

    Raises:
        FileNotFoundError: there is no such folder, or no description in it.
        ValueError: the description is damaged.
    """
    if not bids_dir.is_dir():
        raise FileNotFoundError(f"{bids_dir} is no folder: give the root of a BIDS dataset.")
    description = bids_dir / DESCRIPTION
    if not description.is_file():
        raise FileNotFoundError(
            f"{bids_dir} is no BIDS dataset, it has no {DESCRIPTION}: give the root of one, or use the command restore."
        )
    try:
        readable = isinstance(json.loads(description.read_text(encoding="utf-8")), dict)
    except ValueError:
        readable = False
    if not readable:
        raise ValueError(f"{description} is damaged: it must be a JSON object with Name and BIDSVersion.")


def _folders(folder: Path, prefix: str) -> list[str]:
    """Names of the folders, and of links that lead to nothing, that begin so."""
    with os.scandir(folder) as entries:
        return sorted(one.name for one in entries if one.name.startswith(prefix) and (one.is_dir() or one.is_symlink()))


def _images(bids_dir: Path, subject: str) -> dict[str, list[str]]:
    places = [PurePosixPath(subject)]
    if (bids_dir / subject).is_dir():
        places += [places[0] / session for session in _folders(bids_dir / subject, "ses-")]
    found = {}
    for place in (place / "anat" for place in places):
        if (bids_dir / place).is_dir():
            names = sorted(path.name for path in (bids_dir / place).iterdir())
            found[str(place)] = [name for name in names if any(fnmatch(name, one) for one in T1W) and name[0] != "."]
    return {place: names for place, names in found.items() if names}


def _session(folder: str) -> str:
    parts = PurePosixPath(folder).parts
    return parts[1].removeprefix("ses-") if len(parts) == 3 else ""


def _known(what: str, given: Iterable[str], prefix: str, there: Sequence[str], bids_dir: Path) -> list[str]:
    """Labels without their prefix, each once, in the order of the dataset; all where none is given."""
    labels = {label.removeprefix(prefix) for label in given}
    if unknown := sorted(labels - set(there)):
        listed = ", ".join(there[:MOST_NAMED]) + (f", ... ({len(there)} in all)" if len(there) > MOST_NAMED else "")
        near = suggestion(unknown[0], there) if len(there) > MOST_NAMED else f"there are: {listed or 'none'}."
        raise ValueError(f"{bids_dir} has no {what} {', '.join(unknown)}; {near}")
    return [label for label in there if label in labels or not labels]
