# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scripts.pages.cohort_picture import MOST_ROWS, cohort_picture, save_cohort_picture


def _cohort(images: int, **facts: Any) -> dict[str, Any]:
    items = [{"subject": f"s{i}", "slices": [2, 3, 4, 7], "shape": [20, 22, 11], **facts} for i in range(images)]
    return {
        "name": "small",
        "plane": "axial",
        "seed": 5,
        "selection": {"rule": "brain", "threshold": 2636.72},
        "training": items[: images // 2],
        "validation": [],
        "test": items[images // 2 :],
    }


@pytest.mark.parametrize("facts", [{}, {"age": 31.0, "sex": "F"}, {"age": 97.0}, {"sex": "M"}], ids=str)
def test_picture_of_any_cohort(tmp_path: Path, facts: dict[str, Any]):
    save_cohort_picture(_cohort(7, **facts), tmp_path / "cohort.png")
    assert (tmp_path / "cohort.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 1


def test_picture_says_what_it_shows():
    figure = cohort_picture(_cohort(7, age=31.0, sex="F"))
    text = " ".join([figure.get_suptitle(), *(axes.get_title(loc="left") for axes in figure.axes)])
    for expected in (
        "small: 7 images, 28 axial slices",
        "seed 5",
        "training: 3 subjects",
        "test: 4 subjects",
        "4.0 on average",
    ):
        assert expected in text


def test_large_cohort_shows_every_second_image():
    figure = cohort_picture(_cohort(MOST_ROWS + 10))
    assert "one image in 2" in figure.axes[-1].get_title(loc="left")
