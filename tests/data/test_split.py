# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from scripts.data.split import PARTS, age_group, part_sizes, split_subjects, stratum_labels


def _random_strata(seed: int, subjects: int) -> dict[str, tuple[str, ...]]:
    generator = np.random.default_rng(seed)
    ages = generator.choice(["adult", "elderly", "young"], subjects, p=[0.73, 0.19, 0.08])
    sexes = generator.choice(["F", "M", "unknown"], subjects, p=[0.54, 0.44, 0.02])
    return {f"s{i}": (str(age), str(sex)) for i, (age, sex) in enumerate(zip(ages, sexes, strict=True))}


@pytest.mark.parametrize("seed", range(8))
def test_split_properties(seed: int):
    generator = np.random.default_rng(seed)
    subjects = int(generator.integers(20, 400))
    weights = generator.dirichlet([4, 2, 2])
    strata = _random_strata(seed, subjects)
    parts = split_subjects(strata, weights, seed)
    # every subject is in exactly one part, and the sizes are within one of the share (largest remainder)
    assert set(parts) == set(strata)
    sizes = Counter(parts.values())
    assert all(abs(sizes[part] - weight * subjects) < 1 for part, weight in zip(PARTS, weights, strict=True))
    # every age group, and every sex in it, is divided like the whole, to within two subjects
    for depth in (1, 2):
        for group in {labels[:depth] for labels in strata.values()}:
            members = [name for name, labels in strata.items() if labels[:depth] == group]
            got = Counter(parts[name] for name in members)
            for part in PARTS:
                assert abs(got[part] - sizes[part] / subjects * len(members)) < 2.5


def test_split_depends_on_the_seed_and_not_on_the_order():
    strata = _random_strata(0, 50)
    reverse = dict(reversed(strata.items()))
    assert split_subjects(strata, seed=3) == split_subjects(reverse, seed=3)
    assert split_subjects(strata, seed=3) != split_subjects(strata, seed=4)


def test_split_is_the_same_on_every_machine():
    strata = {f"s{i:02d}": ("young" if i < 4 else "adult",) for i in range(12)}
    parts = split_subjects(strata, (0.5, 0.25, 0.25), seed=0)
    assert [name for name in sorted(parts) if parts[name] == "validation"] == ["s00", "s06", "s07"]
    assert [name for name in sorted(parts) if parts[name] == "test"] == ["s03", "s04", "s10"]


@pytest.mark.parametrize(
    ("subjects", "fractions", "expected"),
    [
        (166, (0.7, 0.15, 0.15), [116, 25, 25]),
        (10, (0.7, 0.15, 0.15), [7, 2, 1]),
        (3, (0.7, 0.15, 0.15), [1, 1, 1]),
        (5, (0, 0, 1), [0, 0, 5]),
        (7, (1, 0, 0), [7, 0, 0]),
        (100, (0.1, 0.2, 0.7), [10, 20, 70]),
    ],
)
def test_part_sizes(subjects: int, fractions: tuple[float, ...], expected: list[int]):
    assert list(part_sizes(subjects, fractions).values()) == expected


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.7, 0.2, 0.2), (1.2, -0.1, -0.1), (float("nan"), 0, 1)], ids=str)
def test_bad_fractions_are_refused(fractions: tuple[float, ...]):
    with pytest.raises(ValueError, match=r"fractions must be three numbers between 0 and 1 that sum to 1"):
        part_sizes(10, fractions)


def test_too_few_subjects_are_refused():
    with pytest.raises(ValueError, match=r"2 subject\(s\) cannot fill 3 parts .* set a fraction to 0"):
        split_subjects({"a": 0, "b": 0})


@pytest.mark.parametrize(
    ("age", "group"), [(24.99, "young"), (25.0, "adult"), (64.99, "adult"), (65.0, "elderly"), (None, "unknown")]
)
def test_age_groups(age: float | None, group: str):
    assert age_group(age) == group


def test_strata_use_what_differs():
    labels, used = stratum_labels(
        {
            "a": {"age": 20.0, "sex": "F", "ethnicity": 1, "site": "HH"},
            "b": {"age": 70.0, "sex": "F", "ethnicity": 3, "site": "HH"},
            "c": {"sex": "F", "ethnicity": 1, "site": "HH"},
        }
    )
    assert used == ["age_group", "ethnicity"]
    assert labels == {"a": ("young", "main"), "b": ("elderly", "other"), "c": ("unknown", "main")}
