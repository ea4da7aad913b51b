# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import torch
from ignite.engine import Engine

from scripts.corruptions import Corruption, RandGaussianNoise, RandSkullStrip
from scripts.engines import CorruptBatch


def test_training_damage_follows_the_epoch_and_validation_damage_does_not():
    corruption = Corruption([RandGaussianNoise(std=[0.1, 0.2])])
    batch = {"image": torch.rand(2, 1, 8, 8), "subject": torch.tensor([1, 2]), "slice": torch.tensor([3, 4])}
    training, validation = CorruptBatch(corruption), CorruptBatch(corruption)
    seen: list[torch.Tensor] = []
    trainer = Engine(lambda *_: seen.append(training(batch, torch.device("cpu"))[0]))
    training.attach(trainer)
    trainer.run([0], 2)
    assert not torch.equal(seen[0], seen[1])
    first, clean = validation(batch, torch.device("cpu"))
    assert torch.equal(first, validation(batch, torch.device("cpu"))[0])
    assert torch.equal(clean, batch["image"])


def test_the_target_loses_what_the_image_loses():
    image, brain = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 8, 8) > 0.5
    keys = {"subject": torch.tensor([1, 2]), "slice": torch.tensor([3, 4])}
    batch = CorruptBatch(Corruption([], background=[RandSkullStrip()]))
    damaged, target = batch({"image": image, "brain": brain, **keys}, torch.device("cpu"))
    assert torch.equal(damaged, target)
    assert torch.equal(target, image * brain)


def test_without_corruption_input_is_target():
    image = torch.rand(2, 1, 8, 8)
    damaged, clean = CorruptBatch(None)({"image": image}, torch.device("cpu"))
    assert damaged is clean
