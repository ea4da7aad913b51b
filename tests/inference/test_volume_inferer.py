# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from monai.data import MetaTensor

from scripts.anatomy.damage_kinds import KINDS
from scripts.inference import volume_inferer
from scripts.inference.gate import DAMAGED, FINE, OUTSIDE, Gate, severity
from scripts.inference.volume_inferer import VolumeInferer, interleaved
from scripts.repairs import repair
from tests.helpers.demo_heads import demo_heads


class Told(torch.nn.Module):
    """Adds .125 to what it is given, with a standard deviation of 1; its verdict is the same for all."""

    def __init__(self, level: float = 0.9, outside: float = 0.1) -> None:
        super().__init__()
        odds = torch.logit(torch.tensor([level] + [0.01] * (len(KINDS) - 1) + [outside]))
        self.verdict = lambda volumes: odds.expand(len(volumes), -1)
        self.spread = lambda features, *known: features[:, 1:2]
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, x: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        assert levels.shape == (1, len(KINDS))
        self.shapes.append(tuple(x.shape))
        return torch.cat([x[:, :1] + 0.125, torch.zeros_like(x[:, :1])], dim=1)


@pytest.fixture(scope="module")
def head() -> torch.Tensor:
    return demo_heads(1)


@pytest.mark.parametrize("factors", [(1, 1, 1), (2, 1, 3), (2, 2, 2)])
def test_every_voxel_is_in_one_part(factors):
    times = torch.zeros(1, 2, 9, 10, 11)
    parts = interleaved(factors)
    for part in parts:
        times[part] += 1
    assert len(parts) == factors[0] * factors[1] * factors[2]
    assert (times == 1).all()
    assert tuple(times[parts[0]].shape[2:]) == tuple(
        -(-size // factor) for size, factor in zip((9, 10, 11), factors, strict=True)
    )


def test_a_volume_of_fewer_voxels_than_parts_is_restored(head):
    few = MetaTensor(head[..., :2], affine=torch.diag(torch.tensor([2.0, 2.0, 0.3, 1.0])))
    torch.testing.assert_close(VolumeInferer(spacing_mm=2.0)(few, Told())[:, :1], head[..., :2] + 0.125)


def test_finer_voxels_are_dealt_out(head):
    network = Told()
    fine = MetaTensor(head, affine=torch.diag(torch.tensor([1.0, 2.0, 0.9, 1.0])))
    restored = VolumeInferer(spacing_mm=2.0)(fine, network)
    height, width, depth = head.shape[2:]
    wide = -(-width // 8) * 8
    assert {shape[3] for shape in network.shapes} == {wide}
    assert {shape[4] for shape in network.shapes} == {depth // 2, -(-depth // 2)}
    assert all(height // 2 <= shape[2] < height // 2 + 8 for shape in network.shapes)
    assert len(network.shapes) == 4
    torch.testing.assert_close(restored[:, :1], head + 0.125)


@pytest.mark.parametrize(
    ("level", "outside", "name"), [(0.9, 0.1, DAMAGED), (0.05, 0.1, FINE), (0.9, 0.9, OUTSIDE), (0.05, 0.9, OUTSIDE)]
)
def test_only_what_is_damaged_is_restored(head, level, outside, name):
    inferer = VolumeInferer(gate=Gate(least=0.2, outside=0.5))
    restored = inferer(head, Told(level, outside))
    assert inferer.verdict.name == name
    assert torch.equal(restored[:, :1], head) == (name != DAMAGED)
    assert inferer.verdict.reason.startswith(name)
    assert "uneven brightness" in inferer.verdict.reason or name != DAMAGED
    everything = VolumeInferer(gate=None)
    assert not torch.equal(everything(head, Told(level, outside))[:, :1], head)
    assert everything.verdict is None


def test_uncertainty_is_told_of_sound_volumes_too(head):
    restored = VolumeInferer(gate=Gate(), uncertainty=True)(head, Told(0.05))
    assert torch.equal(restored[:, :1], head)
    assert torch.equal(restored[:, 2:], torch.ones_like(head))
    assert VolumeInferer(gate=Gate(), uncertainty=True)(head, Told(0.9, outside=0.9))[:, 2:].isnan().all()


@pytest.mark.parametrize(("others", "name"), [(0.1, FINE), (0.3, DAMAGED)])
def test_lost_voxels_of_which_none_is_found_are_a_false_alarm_where_nothing_else_is_wrong(head, others, name):
    network = Told(others)
    odds = network.verdict(head)[0].clone()
    odds[KINDS.index("holes")] = 3.0
    network.verdict = lambda volumes: odds.expand(len(volumes), -1)
    inferer = VolumeInferer(gate=Gate())
    restored = inferer(head, network)
    assert inferer.verdict.name == name
    assert torch.equal(restored[:, :1], head) == (name == FINE)
    assert (inferer.verdict.levels["holes"] == 0) == (name == FINE)


def test_what_was_filled_is_told(head):
    lost = torch.rand(head.shape, generator=torch.Generator().manual_seed(0)) < 0.05
    inferer = VolumeInferer(gate=Gate())
    restored = inferer(head.masked_fill(lost, 0.0), Told(0.05))
    assert inferer.verdict.name == DAMAGED
    assert inferer.verdict.repaired == ("erased voxels",)
    assert restored[:, 1].sum() > 0.5 * (lost & (head > 0.2)).sum()


def test_after_a_repair_image_and_uncertainty_are_in_the_unit_of_the_volume(head):
    lost = torch.rand(head.shape, generator=torch.Generator().manual_seed(0)) < 0.05
    damaged = (1.5 * head).masked_fill(lost, 0.0)
    repaired = repair(damaged).volumes
    bright_end = float(np.percentile(repaired.numpy(), 99.5))  # 1 for the network
    assert bright_end > 1.2
    restored = VolumeInferer(gate=Gate(), uncertainty=True)(damaged, Told(0.9))
    torch.testing.assert_close(restored[:, :1] - repaired, torch.full_like(head, 0.125 * bright_end), rtol=0.02, atol=0)
    torch.testing.assert_close(restored[:, 2:], torch.full_like(head, bright_end), rtol=0.02, atol=0)


def test_a_network_without_a_verdict_restores_everything(head):
    assert torch.equal(VolumeInferer(gate=Gate())(head, torch.nn.Identity()), head)


def test_several_volumes_are_refused(head):
    with pytest.raises(ValueError, match=r"one volume of one channel at a time, got the shape \(2, 1"):
        VolumeInferer()(head.expand(2, -1, -1, -1, -1), Told())


def test_thresholds_lie_between_0_and_1():
    with pytest.raises(ValueError, match="least must lie between 0 and 1, got 0"):
        Gate(least=0)


def test_severity_rises_with_the_level():
    assert [severity(level) for level in (0.1, 0.4, 0.5, 0.7, 0.9)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("plane", "undone"), [("sagittal", True), ("axial", False)])
def test_a_bias_field_is_undone_in_sagittal_slices_alone(head, plane, undone):
    network = Told(0.05)
    network.field = SimpleNamespace(undo=lambda volume: (volume * 0.5, torch.tensor([0.2])))
    inferer = VolumeInferer(gate=Gate())
    restored = inferer(MetaTensor(head, meta={"plane": [plane]}), network)
    assert torch.equal(restored[:, :1], head * 0.5) == undone
    assert inferer.verdict.repaired == (("uneven brightness",) if undone else ())


def test_air_far_from_the_head_does_not_count():
    head = torch.zeros(1, 1, 40, 44, 36)
    head[..., 10:30, 8:36, 8:28] = 0.8
    wide = F.pad(head, (30, 20, 25, 0, 0, 40))
    noisy = torch.hypot(wide + 0.06 * torch.randn(wide.shape), 0.06 * torch.randn(wide.shape))
    for volume in (wide, noisy):
        # two voxels more on either side are bright on average, and a fifth of 24, 32 and 24 is added
        assert volume_inferer._about_head(volume).shape[2:] == (34, 44, 34)
    tight = head[..., 5:35, 4:40, 4:32]
    assert torch.equal(volume_inferer._about_head(tight), tight)
    assert volume_inferer._about_head(torch.zeros(1, 1, 20, 20, 20)).shape == (1, 1, 20, 20, 20)
