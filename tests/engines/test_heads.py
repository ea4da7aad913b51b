# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine, Events

from scripts.anatomy.damage_kinds import KINDS
from scripts.corruptions import RandAnomalies, RandFieldOfView, RandPixelDropout, VolumeCorruption
from scripts.engines import AnomalyBatch, BrainMaskBatch, RandVariants, RestorationBatch
from tests.helpers.demo_heads import demo_heads

CPU = torch.device("cpu")
DROPOUT = VolumeCorruption([RandPixelDropout(rate=[0.1, 0.1])])


@pytest.fixture(scope="module")
def batch() -> dict[str, torch.Tensor]:
    heads = demo_heads(4)
    numbers = torch.arange(4)
    return {
        "image": heads,
        "brain": (heads > 0.5) & (heads < 0.7),
        "subject": numbers,
        "repeat": torch.zeros_like(numbers),
    }


def test_validation_is_the_same_each_time_and_training_is_not(batch):
    made = RestorationBatch(DROPOUT, variants=RandVariants(), other_plane_prob=0.0)
    first, second = (made(batch, CPU)[0] for _ in range(2))
    assert torch.equal(first, second)
    trainer = Engine(lambda *_: made(batch, CPU)[0])
    made.attach(trainer)
    seen = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: seen.append(engine.state.output))
    trainer.run([0], 2)
    assert not torch.equal(*seen)
    repeated = made({**batch, "repeat": torch.ones(4, dtype=torch.long)}, CPU)[0]
    assert not torch.equal(repeated, seen[1])


def test_what_is_filled_is_marked_and_image_and_target_are_scaled_alike(batch):
    image, target, _, known = RestorationBatch(DROPOUT)(batch, CPU)
    damaged, clean, filled = image[:, :1], target[:, :1], image[:, 1:] == 1
    lost = (clean > 0.1) & ((damaged != clean) | filled)
    assert lost.sum() == pytest.approx(0.1 * int((clean > 0.1).sum()), rel=0.1)
    assert filled[lost].float().mean() > 0.8
    torch.testing.assert_close(damaged[~filled & (damaged != 0)], clean[~filled & (damaged != 0)])
    high = damaged.flatten(1).quantile(0.995, dim=1)
    torch.testing.assert_close(high, torch.ones(4), atol=0.05, rtol=0)
    assert target[:, 1].unique().tolist() == pytest.approx([0.1, 1.0])
    dropout = KINDS.index("dropout")
    assert (known["levels"][:, dropout] > 0.5).all()
    assert known["levels"].sum() == known["levels"][:, dropout].sum()


def test_brain_masks_lose_what_the_image_loses(batch):
    cropped = VolumeCorruption([], background=[RandFieldOfView([0.2, 0.3])])
    image, mask = BrainMaskBatch(cropped)(batch, CPU)
    assert mask.dtype == torch.float32
    assert torch.equal(mask.bool(), batch["brain"] & (image != 0))


def test_anomalies_lie_in_the_brain_and_are_undone(batch):
    made = AnomalyBatch(VolumeCorruption([]), RandAnomalies(diameter_mm=[8, 16], prob=1.0), strip_prob=0.0)
    image, target = made(batch, CPU)
    healthy, anomaly = target.unbind(dim=1)
    assert (anomaly > 0).any()
    assert batch["brain"][:, 0][anomaly > 0].all()
    torch.testing.assert_close(image[:, 0][anomaly <= 0], healthy[anomaly <= 0])
    assert not torch.equal(image[:, 0], healthy)
    assert (anomaly == -1).any()


def test_stripped_heads_keep_the_brain(batch):
    made = AnomalyBatch(VolumeCorruption([]), RandAnomalies(prob=0.0), strip_prob=1.0, margin=0)
    image, target = made(batch, CPU)
    assert torch.equal(image != 0, batch["brain"])
    torch.testing.assert_close(image, target[:, :1])


def test_other_planes_are_padded_to_what_the_network_takes(batch):
    made = RestorationBatch(DROPOUT, other_plane_prob=1.0)
    made.training = True
    torch.manual_seed(0)
    shapes = {tuple(made(batch, CPU)[0].shape[2:]) for _ in range(12)}
    height, width, depth = batch["image"].shape[2:]
    padded = -(-depth // 8) * 8
    assert shapes == {(height, width, depth), (height, padded, width), (width, padded, height)}
