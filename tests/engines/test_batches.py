# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from ignite.engine import Engine

from scripts.corruptions import Corruption, RandGaussianNoise, RandSkullStrip, RandUndersampling
from scripts.engines import CorruptBatch, UndersampledBatch


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


def test_what_was_measured_goes_to_the_inferer_and_follows_the_epoch():
    corruption = Corruption([RandUndersampling()])
    batch = {"image": torch.rand(2, 1, 8, 8), "subject": torch.tensor([1, 2]), "slice": torch.tensor([3, 4])}
    prepare, cpu = UndersampledBatch(corruption), torch.device("cpu")
    for prepare.epoch in (0, 1):
        image, target, arguments, known = prepare(batch, cpu)
        keys = {"subject": batch["subject"], "slice": batch["slice"], "epoch": prepare.epoch}
        assert arguments == ()
        assert torch.equal(target, batch["image"])
        torch.testing.assert_close(image, corruption(batch["image"], keys))
        expected = corruption.acquisition(batch["image"], keys)
        torch.testing.assert_close((known["kspace"], known["measured"]), tuple(expected))


@pytest.mark.parametrize("corruption", [None, Corruption([RandGaussianNoise()])])
def test_a_corruption_that_leaves_kspace_whole_is_refused(corruption):
    batch = {"image": torch.rand(2, 1, 8, 8), "subject": torch.tensor([1, 2]), "slice": torch.tensor([3, 4])}
    with pytest.raises(ValueError, match=r"no step of the corruption undersamples .* add .*RandUndersampling"):
        UndersampledBatch(corruption)(batch, torch.device("cpu"))
