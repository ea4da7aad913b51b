# SPDX-License-Identifier: Apache-2.0
"""The ``dataset.json`` of a cohort: the images of each part, and their relevant slices."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .split import DATASET_FILE, PARTS, check_disjoint

__all__ = ["FILE_KEYS", "load_cohort", "load_datalist"]

FILE_KEYS = ("image", "label", "mask")


def load_cohort(dataset_dir: str | os.PathLike[str] = "") -> dict[str, Any]:
    """Read and check the ``dataset.json`` of a cohort.

    Args:
        dataset_dir: folder that ``python -m scripts prepare`` wrote (or the path of its ``dataset.json``). Empty: the
            demo cohort, which is made on first use.

    Returns:
        The content of the file, paths as they are in it (relative to its folder).

    Raises:
        FileNotFoundError: there is no ``dataset.json``.
        ValueError: the file is no cohort, or a subject is in two parts.
    """
    path = _dataset_file(dataset_dir)
    try:
        cohort = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}). Write it again with python -m scripts prepare.") from error
    if not isinstance(cohort, dict) or not all(isinstance(cohort.get(part), list) for part in PARTS):
        raise ValueError(f"{path} must have the lists {', '.join(PARTS)}. Write it with python -m scripts prepare.")
    check_disjoint(cohort)
    return cohort


def load_datalist(dataset_dir: str | os.PathLike[str], part: str) -> list[dict[str, Any]]:
    """The items of one part of a cohort, ready for a MONAI dataset.

    Args:
        dataset_dir: folder of the cohort, see :func:`load_cohort`.
        part: ``"training"``, ``"validation"`` or ``"test"``.

    Returns:
        One dictionary for each image: ``image`` and, where known, ``label`` and ``mask`` (absolute paths), ``subject``,
        ``slices`` (indices along the third axis in the orientation of the cohort's plane) and what else
        ``dataset.json`` says.

    Raises:
        FileNotFoundError: there is no ``dataset.json``, or a file that it names is missing.
        ValueError: ``part`` is unknown or empty, or a subject is in two parts.
    """
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(PARTS)}, got {part!r}.")
    cohort = load_cohort(dataset_dir)
    path = _dataset_file(dataset_dir)
    if not cohort[part]:
        sizes = ", ".join(f"{name} {len(cohort[name])}" for name in PARTS)
        raise ValueError(
            f"the {part} part of {path} is empty ({sizes}). Prepare the folder with a larger fraction for it, "
            "for example --fractions 0.7,0.15,0.15 (training, validation, test)."
        )
    return [_resolve(item, path) for item in cohort[part]]


def _dataset_file(dataset_dir: str | os.PathLike[str]) -> Path:
    """Path of the ``dataset.json`` of a cohort folder, by default that of the demo cohort."""
    if not str(dataset_dir):
        from .demo.cohort import ensure_demo_cohort

        dataset_dir = ensure_demo_cohort()
    path = Path(dataset_dir)
    path = path if path.name == DATASET_FILE else path / DATASET_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist. Make it from a folder of images with: "
            f"python -m scripts prepare IMAGES {path.parent}"
        )
    return path.absolute()


def _resolve(item: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The item with absolute paths, each of which exists."""
    resolved = dict(item)
    for key in FILE_KEYS:
        if key in item:
            file = Path(os.path.normpath(path.parent / item[key]))
            if not file.is_file():
                raise FileNotFoundError(
                    f"the {key} of subject {item['subject']}, {file}, does not exist although {path} names it. Put it "
                    "back, or prepare the folder again with python -m scripts prepare."
                )
            resolved[key] = str(file)
    return resolved
