# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.data.describe import DATASET_FILE
from scripts.files.atomic import write_json
from scripts.studies.mask_agreement import dice, mask_agreement


def _cohort(folder: Path, names: list[str], **files: str) -> Path:
    for name in [*names, *files.values()]:
        (folder / name).touch()
    items = [{"image": name, "subject": name, "slices": [1], **files} for name in names]
    write_json(folder / DATASET_FILE, {"training": items, "validation": [], "test": []})
    return folder


def test_dice():
    a = np.zeros((4, 5, 6), dtype=bool)
    b = a.copy()
    a[:2], b[1:3] = True, True
    assert dice(a, b) == 0.5
    assert dice(a, a) == 1.0


def test_heads_in_the_table_are_not_done_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    _cohort(tmp_path, ["a.nii", "b.nii"], label="seg.nii")
    (tmp_path / "mask_agreement.csv").write_text("image,dice\na.nii,0.95\nb.nii,0.97\n")
    mask_agreement(str(tmp_path))  # the images are empty files: reading one would fail
    assert "Dice over 2 heads: mean 0.9600, sd 0.0141, min 0.9500, max 0.9700" in capsys.readouterr().out


def test_labels_are_needed(tmp_path: Path):
    with pytest.raises(SystemExit, match=r"error: no image of .* has labels to compare with"):
        mask_agreement(str(_cohort(tmp_path, ["a.nii"])))
