# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from monai.engines import SupervisedTrainer

from scripts.engines import StepsPerBatch


def trained(update: StepsPerBatch, images: torch.Tensor) -> tuple[list[torch.Tensor], float]:
    """What the network was given, and its parameter after one batch."""
    given = []

    class Gain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = torch.nn.Parameter(torch.tensor(0.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            given.append(x)
            return self.gain * x

    network = Gain()
    trainer = SupervisedTrainer(
        device="cpu",
        max_epochs=1,
        train_data_loader=[{"image": images, "label": images}],
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), lr=0.1),
        loss_function=torch.nn.MSELoss(),
        iteration_update=update,
        decollate=False,
    )
    trainer.run()
    assert trainer.state.output["loss"].ndim == 0
    return given, float(network.gain.detach())


def test_parts_come_in_random_order_and_each_pass_mirrors_the_one_before():
    images = torch.arange(1.0, 9.0).view(8, 1, 1, 1, 1) + 0.1 * torch.arange(2.0)
    torch.manual_seed(0)
    seen = [part.flatten().tolist() for part in trained(StepsPerBatch(size=1, passes=2), images)[0]]
    once = images.flatten(1).tolist()
    twice = once + [part[::-1] for part in once]
    assert sorted(seen) == sorted(twice)
    assert seen != twice


def test_numbers_of_an_image_are_not_mirrored():
    levels = torch.tensor([[1.0, 2.0, 3.0]])
    seen, _ = trained(StepsPerBatch(size=1, passes=2), levels)
    assert [part.tolist() for part in seen] == [levels.tolist()] * 2


def test_each_part_of_a_batch_makes_a_step():
    given, gain = trained(StepsPerBatch(size=2, slices=4, max_norm=100.0), torch.ones(3, 1, 8, 8, 10))
    assert sorted((len(part), part.shape[-1]) for part in given) == sorted(
        [(2, 4), (2, 4), (2, 2), (1, 4), (1, 4), (1, 2)]
    )
    assert gain == pytest.approx(1 - (1 - 0.2) ** 6)  # d/dg (g - 1)^2 = 2 (g - 1), rate 0.1


def test_gradients_are_clipped():
    _, gain = trained(StepsPerBatch(size=1, max_norm=0.5), torch.ones(1, 1, 8, 8, 4))
    assert gain == pytest.approx(0.05)


def test_size_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        StepsPerBatch(size=0)
