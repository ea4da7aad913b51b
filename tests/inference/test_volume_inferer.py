# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from scripts.corruptions import KINDS
from scripts.inference.gate import DAMAGED, FINE, OUTSIDE, Gate, severity
from scripts.inference.volume_inferer import VolumeInferer, deal_out, put_together
from tests.helpers.demo_heads import demo_heads


class Told(torch.nn.Module):
    """Adds .125 to what it is given, with a standard deviation of 1; its verdict is the same for all."""

    def __init__(self, level: float = 0.9, outside: float = 0.1) -> None:
        super().__init__()
        odds = torch.logit(torch.tensor([level] + [0.01] * (len(KINDS) - 1) + [outside]))
        self.verdict = lambda volumes: odds.expand(len(volumes), -1)
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, x: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
        assert levels.shape == (1, len(KINDS))
        self.shapes.append(tuple(x.shape))
        return torch.cat([x[:, :1] + 0.125, torch.zeros_like(x[:, :1])], dim=1)


@pytest.fixture(scope="module")
def head() -> torch.Tensor:
    return demo_heads(1)


@pytest.mark.parametrize("factors", [(1, 1, 1), (2, 1, 3), (2, 2, 2)])
def test_parts_put_together_are_the_volume(factors):
    volume = torch.rand(1, 2, 9, 10, 11)
    parts = deal_out(volume, factors)
    assert len(parts) == factors[0] * factors[1] * factors[2]
    assert torch.equal(
        parts[0, :, :4, :5, :3], volume[0, :, :: factors[0], :: factors[1], :: factors[2]][:, :4, :5, :3]
    )
    assert torch.equal(put_together(parts, factors, (9, 10, 11)), volume)


def test_finer_voxels_are_dealt_out(head):
    network = Told()
    fine = MetaTensor(head, affine=torch.diag(torch.tensor([1.0, 2.0, 0.9, 1.0])))
    restored = VolumeInferer(spacing_mm=2.0)(fine, network)
    height, width, depth = head.shape[2:]
    rows, slices = -(-height // 2), -(-depth // 2)
    assert set(network.shapes) == {(1, 1, -(-rows // 8) * 8, -(-width // 8) * 8, slices)}
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


def test_what_was_filled_is_told(head):
    lost = torch.rand(head.shape, generator=torch.Generator().manual_seed(0)) < 0.05
    inferer = VolumeInferer(gate=Gate())
    restored = inferer(head.masked_fill(lost, 0.0), Told(0.05))
    assert inferer.verdict.name == DAMAGED
    assert inferer.verdict.repaired == ("erased voxels",)
    assert restored[:, 1].sum() > 0.5 * (lost & (head > 0.2)).sum()


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
