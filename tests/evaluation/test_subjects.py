# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from scripts.baselines import identity
from scripts.data.slices import subject_key
from scripts.evaluation import RestoreAndMeasure, SubjectSlices, make_conditions, subject_slices

KEPT = [3, 5, 8]


@pytest.fixture
def item() -> dict:
    image, label = torch.zeros(1, 30, 26, 12), torch.zeros(1, 30, 26, 12)
    inside = (0, slice(4, 26), slice(4, 22), slice(1, 11))
    image[inside] = 0.4 + 0.6 * torch.rand(22, 18, 10, generator=torch.Generator().manual_seed(0))
    label[0, 9:21, 8:18, 2:10] = 1
    return {"image": image, "label": label, "subject": "s1", "slices": KEPT}


def cut(volume: torch.Tensor) -> torch.Tensor:
    return volume[0, 0][..., KEPT].permute(2, 0, 1)[:, None]


def test_the_kept_slices_share_the_damage_of_their_volume(item):
    subject = subject_slices(item)
    (condition,) = make_conditions(["thick_slices"], [3])
    keys = {"subject": torch.tensor([subject_key("s1")]), "epoch": 0}
    expected = condition.corruption(item["image"][None], keys)
    assert torch.equal(subject.damage(condition.corruption), cut(expected))
    assert subject.pair(condition.corruption)[1] is subject.target


def test_a_stripped_head_is_scored_against_the_stripped_one_with_the_known_brain(item):
    (stripped,) = make_conditions(["skull_stripped"])
    damaged, target = subject_slices(item).pair(stripped.corruption)
    assert torch.equal(damaged, target)
    assert torch.equal(target, cut((item["image"] * item["label"])[None]))
    rows = RestoreAndMeasure({"input": identity, "network": lambda x: x + 0.1}, [stripped])(None, item)
    assert {row["mse"] for row in rows if row["method"] == "input"} == {0.0}
    assert all(row["mse"] == pytest.approx(0.01, rel=1e-3) for row in rows if row["method"] == "network")


def test_holes_through_slices_are_a_region(item):
    subject = subject_slices(item)
    (lesions,) = make_conditions(["lesion_holes"], [5])
    holes = subject.holes(lesions.corruption)
    assert torch.equal(holes, (subject.damage(lesions.corruption) == 0) & holes)
    assert holes.any()
    rows = RestoreAndMeasure({"input": identity}, [lesions])(None, item)
    assert [row["region"] for row in rows] == ["whole", "head", "brain", "hole"]


def test_slices_alone_cannot_be_damaged_as_a_volume(item):
    whole = subject_slices(item)
    alone = SubjectSlices("s1", whole.indices, whole.target, whole.regions)
    (condition,) = make_conditions(["motion"], [1])
    with pytest.raises(ValueError, match="s1: damage of whole volumes needs the volume"):
        alone.damage(condition.corruption)
