# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import torch
from ignite.engine import Engine

from scripts.corruptions import Corruption, RandGaussianNoise
from scripts.engines import CorruptBatch, accelerate
from scripts.networks import ResidualUNet


def test_accelerated_network_keeps_its_names_and_gives_float32():
    network = ResidualUNet(residual_output=True)
    names = list(network.state_dict())
    torch.nn.init.normal_(network.head.conv.weight if hasattr(network.head, "conv") else network.head.weight, std=0.1)
    image = torch.rand(2, 1, 16, 24)
    network.eval()
    exact = network(image)
    fast = accelerate(network, "cpu", amp=True)
    assert list(fast.state_dict()) == names
    assert fast(image).dtype == torch.float32
    # bfloat16 keeps 8 bits of each product; the correction is of order 1 here
    torch.testing.assert_close(fast(image), exact, rtol=0, atol=0.05 * float((exact - image).abs().max()))


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


def test_without_corruption_input_is_target():
    image = torch.rand(2, 1, 8, 8)
    damaged, clean = CorruptBatch(None)({"image": image}, torch.device("cpu"))
    assert damaged is clean
