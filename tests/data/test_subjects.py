# SPDX-License-Identifier: Apache-2.0
"""Who is who in layouts without a standard: told, or hinted at and then warned of."""

from __future__ import annotations

import re
from itertools import product
from pathlib import PurePath

import pytest

from scripts.data.file_names import read_name
from scripts.data.pairing import NamedFile
from scripts.data.subjects import name_subjects


def _named(*paths: str, pattern: str | None = None) -> tuple[dict[str, str], list[str]]:
    images = [NamedFile(PurePath(path), read_name(PurePath(path))) for path in paths]
    subjects, warnings = name_subjects(images, pattern)
    return dict(zip(paths, subjects, strict=True)), warnings


TOLD = {
    "the folder begins the name": {"anna/anna_T1.nii": "anna", "bert/bert_x_T1.nii": "bert", "bert/bert_y.nii": "bert"},
    "the folder of a set is no person": {f"ABIDE/ABIDE_{n}.nii": f"ABIDE_{n}" for n in range(50, 60)},
    "sessions below the person": {f"{p}/ses-{s}/t1.nii": p for p, s in product(("anna", "bert"), (1, 2))},
    "groups above the person": {f"{g}/{p}/anat/T1.nii": p for g, p in (("patients", "p1"), ("controls", "c1"))},
    "contrasts below the person": {f"{p}/T1/scan.nii": p for p in ("001", "002")},
    "contrasts above the person": {f"T1/{p}.nii": p for p in ("001", "002")},
    "visits above the person": {f"{v}/{p}.nii": p for v, p in product(("baseline", "followup"), ("a1", "b2"))},
    "unknown folders below the person": {"A/x/t1.nii": "A", "A/y/t1.nii": "A", "B/x/t1.nii": "B"},
    "same names in each folder": {f"{p}/{s}.nii": p for p, s in product(("anna", "bert", "carl"), ("one", "two"))},
    "numbered folders": {"P07/2020/scan_a.nii": "P07", "P07/2021/scan_b.nii": "P07", "P08/scan_c.nii": "P08"},
    "dates in the name": {f"P{n}_{d}_T1.nii": f"P{n}" for n, d in product((1, 2), ("20190101", "2020-03-05"))},
    "two layouts": {"sub-01/anat/sub-01_T1w.nii": "sub-01", "OAS1_0001_MR1/mpr-1.nii": "OAS1_0001"},
    "numbers are the persons": {f"case_{n:03d}.nii": f"case_{n:03d}" for n in range(12)},
    "two groups of numbers": {f"{g}_{n:02d}.nii": f"{g}_{n:02d}" for g, n in product(("case", "control"), range(12))},
    "one image": {"anna/t1.nii": "anna"},
    "the folder begins it with another case": {"Anna/anna_T1.nii": "Anna", "Bert/bert_T1.nii": "Bert"},
    "the folder is no whole word of it": {"an/anna_T1.nii": "anna", "be/bert_T1.nii": "bert"},
    "four in a folder": {f"{p}/{p}_{n}_T1.nii": p for p, n in product("AB", range(4))},
    "five in a folder": {f"{p}/{p}_{n:02d}_T1.nii": f"{p}_{n:02d}" for p, n in product("AB", range(12))},
    "one folder with the name of its files": {f"set/set_{n}x.nii": f"set_{n}x" for n in range(3)},
    "one name in two folders": {"A/x.nii": "A", "B/x.nii": "B"},
    "two names in two folders": {f"{p}/{n}.nii": p for p, n in product("AB", "xy")},
    "four in a numbered folder": {f"P0{k}/{n}.nii": f"P0{k}" for k, four in ((7, "uvwx"), (8, "fghi")) for n in four},
    "folders above the person": {"lab/anna/t1.nii": "anna", "home/bert/t1.nii": "bert"},
    "nothing but a part": {"train/t1.nii": "train", "test/t1.nii": "test"},
    "folders that begin with a contrast": {"PET-01/t1.nii": "PET-01", "PET-02/t1.nii": "PET-02"},
    "wmh": {f"Utrecht/{n}/{f}/T1.nii": n for n, f in product(("0", "2"), ("orig", "pre"))},
}


@pytest.mark.parametrize("expected", TOLD.values(), ids=TOLD)
def test_told_without_a_doubt(expected: dict[str, str]):
    assert _named(*expected) == (expected, [])


DOUBTFUL = {
    "trailing numbers": ([f"{p}_{n}.nii" for p, n in product(("anna", "bert"), (1, 2))], 4, "anna_1, anna_2; bert_1"),
    "numbers after numbers": ([f"pat{p:02d}-{n}.nii" for p, n in product(range(3), (1, 2))], 6, "pat00-1, pat00-2; "),
    "one name goes on": (["anna.nii", "anna_2.nii", "bert.nii"], 3, "anna, anna_2"),
    "session-like": (["P1_m06.nii", "P1_m12.nii", "P2_bl.nii"], 3, "P1_m06, P1_m12"),
    "zeros": (["p01.nii", "x/p1.nii", "p2.nii"], 3, "p01, p1"),
    "case": (["anna.nii", "Anna.nii", "bert.nii"], 3, "Anna, anna"),
    "BIDS": (["sub-s1a_T1w.nii", "sub-s1b_T1w.nii", "sub-s2a_T1w.nii"], 3, "sub-s1a, sub-s1b"),
    "folders of few": (["A/left.nii", "A/right.nii", "B/links.nii"], 3, "A: the images in each of these folders"),
    "sites": ([f"{s}/{n}.nii" for s, n in product(("Leuven", "Basel"), "uvwxyz")], 6, "u, v, w and 3 more: images in"),
    "parts": ([f"{s}/{n}.nii" for s, n in product(("train", "test"), ("001", "002"))], 2, "001, 002: images in differ"),
    "dates alone": (["scan_20190101.nii", "scan_20200305.nii"], 2, "these names say no person"),
    "one folder": (["heads/scan1.nii", "heads/scan2.nii"], 2, "all images seem to be of heads"),
    "four of one": ([*[f"anna_{n}.nii" for n in range(4)], "bert.nii"], 5, "anna_0, anna_1, anna_2 and 1 more: names"),
    "three of one": ([*[f"anna_{n}.nii" for n in range(3)], "bert.nii"], 4, "anna_0, anna_1, anna_2: names"),
}


@pytest.mark.parametrize(("paths", "persons", "message"), DOUBTFUL.values(), ids=DOUBTFUL)
def test_a_hint_is_warned_of_with_the_remedy(paths: list[str], persons: int, message: str):
    subjects, warnings = _named(*paths)
    assert len(set(subjects.values())) == persons
    (warning,) = warnings
    assert message in warning
    remedy = re.search(r"--subject_pattern, for example '(.*)'\.$", warning)
    assert remedy
    re.compile(remedy[1])


def test_the_remedy_of_a_hint_works():
    paths = [f"pat{p:02d}_{n}.nii" for p, n in product((1, 2, 3), (1, 2))]
    _, (warning,) = _named(*paths)
    subjects, warnings = _named(*paths, pattern=warning.split("'")[1])
    assert (set(subjects.values()), warnings) == ({"pat01", "pat02", "pat03"}, [])


def test_same_names_in_two_folders_are_told_apart():
    """Project-MONAI/MONAI 6481: images of one name in several folders were taken for one."""
    paths = [*[f"{p}/t1.nii" for p in ("anna", "bert")], *[f"day/{n}.nii" for n in ("c", "d")]]
    subjects, warnings = _named(*paths)
    assert (list(subjects.values()), warnings) == (["anna", "bert", "c", "d"], [])


def test_a_pattern_decides_alone():
    subjects, warnings = _named("P07/a_1.nii", "P07/a_2.nii", "P08/a_1.nii", pattern=r"(?P<subject>P\d+)")
    assert (set(subjects.values()), warnings) == ({"P07", "P08"}, [])
    with pytest.raises(ValueError, match=r"must find a group in the path of every image, but finds none in P08/x.nii"):
        _named("P08/x.nii", pattern="(P07)")
    with pytest.raises(ValueError, match=r"'\(' is no regular expression"):
        _named("P08/x.nii", pattern="(")
