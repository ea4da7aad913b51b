# SPDX-License-Identifier: Apache-2.0
"""Split of the subjects of a cohort into training, validation and test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from ..files.hashes import content_hash

__all__ = [
    "DATASET_FILE", "PARTS", "age_group", "check_disjoint", "part_sizes", "split_hash", "split_subjects",
    "stratum_labels",
]  # fmt: skip

DATASET_FILE = "dataset.json"
PARTS = ("training", "validation", "test")

YOUNG_BELOW = 25.0
ELDERLY_FROM = 65.0
STRATA = ("age_group", "sex", "ethnicity", "site")


def split_subjects(
    strata: Mapping[str, Hashable], fractions: Sequence[float] = (0.7, 0.15, 0.15), seed: int = 0
) -> dict[str, str]:
    """Split subjects into the three parts such that each part resembles the whole.

    The subjects are sorted by stratum, shuffled within it, and assigned one by one to the part that is furthest behind
    its share. So part sizes are exact (largest remainder), and because neighbours in this order are alike, every group
    of adjacent strata (an age group, a sex within it, ...) is divided like the whole to within a subject or two.

    Args:
        strata: stratum of each subject; any sortable label, such as a tuple from :func:`stratum_labels`.
        fractions: shares of training, validation and test, summing to 1; a share may be 0.
        seed: seed of the shuffle. The same subjects, strata, fractions and seed give the same split, whatever the
            order of the subjects.

    Returns:
        Part (``"training"``, ``"validation"`` or ``"test"``) of each subject.

    Raises:
        ValueError: the fractions are not three numbers in [0, 1] that sum to 1, or there are too few subjects.

    Example:
        >>> sorted(split_subjects({"a": 0, "b": 0, "c": 1, "d": 1}, (0.5, 0, 0.5)).values())
        ['test', 'test', 'training', 'training']
    """
    sizes = part_sizes(len(strata), fractions)
    generator = np.random.default_rng(seed)
    names = sorted(strata)
    shuffled = [names[i] for i in generator.permutation(len(names))]
    order = sorted(shuffled, key=lambda name: strata[name])  # type: ignore[arg-type, return-value]
    assigned = dict.fromkeys(PARTS, 0)
    result = {}
    for position, subject in enumerate(order, start=1):
        open_parts = [part for part in PARTS if assigned[part] < sizes[part]]
        part = max(open_parts, key=lambda part: position * sizes[part] / len(order) - assigned[part])
        assigned[part] += 1
        result[subject] = part
    return result


def part_sizes(subjects: int, fractions: Sequence[float]) -> dict[str, int]:
    """Number of subjects of each part by largest remainder; at least one where the fraction is above 0.

    Raises:
        ValueError: as in :func:`split_subjects`.

    Example:
        >>> part_sizes(166, (0.7, 0.15, 0.15))
        {'training': 116, 'validation': 25, 'test': 25}
    """
    shares = np.asarray(fractions, dtype=np.float64)
    if shares.shape != (3,) or not np.all((shares >= 0) & (shares <= 1)) or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(
            f"fractions must be three numbers between 0 and 1 that sum to 1 (training, validation, test), got "
            f"{fractions!r}. Example: 0.7,0.15,0.15."
        )
    if subjects < np.count_nonzero(shares):
        raise ValueError(
            f"{subjects} subject(s) cannot fill {np.count_nonzero(shares)} parts (fractions {tuple(shares.tolist())}). "
            "Add subjects, or set a fraction to 0 (0,0,1 makes all of them test)."
        )
    exact = shares * subjects
    sizes = np.floor(exact + 1e-9).astype(int)
    for index in np.argsort(sizes - exact, kind="stable")[: subjects - sizes.sum()]:  # largest remainders first
        sizes[index] += 1
    for index in np.flatnonzero((sizes == 0) & (shares > 0)):
        sizes[np.argmax(sizes)] -= 1
        sizes[index] += 1
    return dict(zip(PARTS, sizes.tolist(), strict=True))


def age_group(age: float | None) -> str:
    """The thesis's age groups: young below 25, adult, elderly from 65 years; ``unknown`` without an age."""
    if age is None:
        return "unknown"
    return "young" if age < YOUNG_BELOW else "elderly" if age >= ELDERLY_FROM else "adult"


def stratum_labels(subjects: Mapping[str, Mapping[str, object]]) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Stratum of each subject: age group x sex x ethnicity x site, as far as they are known.

    Ethnicity is reduced to the most frequent group against the rest, as in the thesis: the small groups would make
    strata of one.

    Args:
        subjects: ``age``, ``sex``, ``ethnicity`` and ``site`` of each subject, where known.

    Returns:
        The stratum of each subject, and the names of the attributes that differ between subjects (the others are left
        out of the strata).
    """
    ethnicities = Counter(facts["ethnicity"] for facts in subjects.values() if facts.get("ethnicity") is not None)
    main = min(ethnicities, key=lambda group: (-ethnicities[group], str(group))) if ethnicities else None
    labels: dict[str, dict[str, str]] = {}
    for subject, facts in subjects.items():
        age = facts.get("age")
        ethnicity = facts.get("ethnicity")
        labels[subject] = {
            "age_group": age_group(None if age is None else float(age)),  # type: ignore[arg-type]
            "sex": str(facts.get("sex") or "unknown"),
            "ethnicity": "unknown" if ethnicity is None else "main" if ethnicity == main else "other",
            "site": str(facts.get("site") or "unknown"),
        }
    used = [name for name in STRATA if len({label[name] for label in labels.values()}) > 1]
    return {subject: tuple(label[name] for name in used) for subject, label in labels.items()}, used


def check_disjoint(cohort: Mapping[str, Any]) -> None:
    """Refuse a cohort in which a subject, or the same file content, is in two parts.

    Raises:
        ValueError: a subject or a file is in two parts.
    """
    for key in ("subject", "sha256"):
        seen: dict[str, str] = {}
        for part in PARTS:
            for item in cohort[part]:
                value = item.get(key)
                if value is not None and seen.setdefault(value, part) != part:
                    raise ValueError(
                        f"{key} {value} is in two parts, {seen[value]} and {part}: results on {part} would not be "
                        "those of unseen subjects. Split by subject with python -m scripts prepare."
                    )


def split_hash(cohort: Mapping[str, Any]) -> str:
    """Hash of the files and slices in each part, independent of paths and of the order of subjects.

    Args:
        cohort: cohort as :func:`scripts.data.cohort.load_cohort` reads it.

    Returns:
        The first 16 hexadecimal digits of a SHA-256.
    """
    return content_hash(
        {
            part: sorted([item["subject"], item.get("sha256", ""), item["slices"]] for item in cohort[part])
            for part in PARTS
        }
    )
