# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation, Spacing

from scripts.anomaly import AnomalyMapper, DifferenceOfGaussians, WorkingGrid
from scripts.inference.gate import Verdict
from tests.helpers.toy_scores import lesion_mask, toy_calibration, toy_head, toy_volume


def no_brain(volume: MetaTensor) -> MetaTensor:
    raise AssertionError("a mask was given")


@pytest.fixture(scope="module")
def mapper() -> AnomalyMapper:
    detector = DifferenceOfGaussians()
    return AnomalyMapper(detector, toy_calibration(detector), WorkingGrid(no_brain), level=0.05)


def brain_of(head):
    return MetaTensor(head.brain[None].float(), affine=torch.from_numpy(head.affine))


def test_a_lesion_is_called_and_a_healthy_head_has_none(mapper):
    ill, healthy = toy_head(7, lesion=0.5), toy_head(8)
    found = mapper(toy_volume(ill), brain_of(ill))
    assert found.table[0].p == pytest.approx(1 / 21, abs=1e-4)
    assert found.table[0].name == "right temporal lobe, white matter"
    assert found.values[torch.from_numpy(lesion_mask())].mean() > 3
    assert 4 < float(found.values.max()) <= 8
    assert found.clusters[26, 36, 30] == 1
    assert not found.values[~ill.brain].any()
    nothing = mapper(toy_volume(healthy), brain_of(healthy))
    assert nothing.table == []
    assert not nothing.clusters.any()
    assert nothing.share == pytest.approx(0.01, abs=0.01)


@pytest.mark.parametrize("codes", ["RAS", "LPI", "SAR"])
def test_the_map_has_the_grid_and_orientation_of_its_volume(mapper, codes):
    head = toy_head(7, lesion=0.5)
    expected = mapper(toy_volume(head), brain_of(head))
    turn = Orientation(codes, labels=None)
    volume, brain = turn(toy_volume(head)), turn(brain_of(head))
    found = mapper(volume, brain)
    assert found.values.shape == volume.shape[1:]
    back = turn(MetaTensor(expected.values[None], affine=torch.from_numpy(head.affine)))[0]
    torch.testing.assert_close(found.values, back.as_tensor(), atol=1e-3, rtol=0)
    assert [cluster.x_mm for cluster in found.table] == [cluster.x_mm for cluster in expected.table]


def test_a_finer_volume_has_a_map_of_its_own_grid(mapper):
    head = toy_head(7, lesion=0.5)
    fine = Spacing(1.0)(toy_volume(head))
    found = mapper(fine, brain_of(head))
    assert found.values.shape == found.clusters.shape == found.brain.shape == fine.shape[1:]
    assert found.clusters[52:54, 72:74, 60:62].min() == 1
    assert float(found.brain.sum()) == pytest.approx(8 * float(head.brain.sum()), rel=0.1)


def test_warnings_pass_through_and_an_odd_head_gets_one(mapper):
    head = toy_head(7)
    noisy = toy_volume(head)
    noisy[0, :, :25] += (
        0.4 * torch.randn(noisy[0, :, :25].shape, generator=torch.Generator().manual_seed(0)) * (head.brain[:, :25])
    )
    found = mapper(noisy, brain_of(head), ["a contrast that is not T1"])
    assert found.warnings[0] == "a contrast that is not T1"
    assert any("% of the brain is above 2" in warning for warning in found.warnings)
    grey = MetaTensor((noisy.as_tensor() * 4).round(), affine=noisy.affine)
    assert any("only" in warning and "different values" in warning for warning in mapper(grey, brain_of(head)).warnings)


def verdict(name: str) -> Verdict:
    return Verdict(name, {"noise": 0.7}, (), 0.93, 0.2)


@pytest.mark.parametrize(
    ("name", "stripped", "begins"),
    [
        ("outside", False, "outside of the training (probability 0.93): not T1-weighted"),
        ("outside", True, "outside of the training (probability 0.93): not T1-weighted"),
        ("damaged", False, "damaged: noise (severity 4 of 5"),
        ("damaged", True, ""),
        ("fine", False, ""),
    ],
)
def test_the_verdict_is_a_warning_where_it_can_tell(name, stripped, begins, mapper, monkeypatch):
    head = toy_head(7, lesion=0.5)
    monkeypatch.setattr(mapper, "examine", lambda volume: verdict(name))
    given = mapper.grid(toy_volume(head), brain_of(head))
    monkeypatch.setattr(mapper, "grid", lambda *_: replace(given, skull_stripped=stripped))
    found = mapper(toy_volume(head), brain_of(head), ["first"])
    assert found.warnings[1].startswith(begins) if begins else "of 5" not in " ".join(found.warnings)
    assert (found.verdict is None) == (stripped and name != "outside")
    assert mapper.calibrated_on(mapper.calibration).examine is mapper.examine


def test_few_heads_support_no_cluster():
    detector = DifferenceOfGaussians()
    mapper = AnomalyMapper(detector, toy_calibration(detector, 6), WorkingGrid(no_brain))
    head = toy_head(7, lesion=0.5)
    found = mapper(toy_volume(head), brain_of(head))
    assert found.table == []
    assert any("6 healthy heads support 0.143" in warning for warning in found.warnings)


def test_errors(mapper):
    head = toy_head()
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        AnomalyMapper(mapper.detector, None, mapper.grid, level=1.5)
    with pytest.raises(ValueError, match="no calibration"):
        AnomalyMapper(mapper.detector, None, mapper.grid).values(head)
    empty = MetaTensor(torch.zeros(1, *head.brain.shape), affine=torch.from_numpy(head.affine))
    with pytest.raises(ValueError, match="the brain mask has 0 ml"):
        mapper(toy_volume(head), empty)
