# SPDX-License-Identifier: Apache-2.0
"""Engines, functions and folders that are timed."""

from __future__ import annotations

import time

import pytest
import torch
from ignite.engine import Events
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from torch import nn
from torch.utils.data import DataLoader, Dataset

from scripts.studies.speed.contenders import Clock, EngineContender, FolderContender, StepContender

NAP = 0.01  # seconds, long against everything else here


class Pairs(Dataset):
    """Six pairs, each of which takes a nap to fetch."""

    def __init__(self, nap: float = 0.0) -> None:
        self.nap = nap

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        time.sleep(self.nap)
        image = torch.full((1, 4, 4), float(index))
        return {"image": image, "label": image}


class SlowNetwork(nn.Module):
    def __init__(self, nap: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.nap = nap

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(self.nap)
        return self.scale * x


def trainer(data_nap: float = 0.0, network_nap: float = 0.0) -> SupervisedTrainer:
    network = SlowNetwork(network_nap)
    return SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=1000,
        train_data_loader=DataLoader(Pairs(data_nap), batch_size=2),
        network=network,
        optimizer=torch.optim.SGD(network.parameters(), 0.01),
        loss_function=nn.MSELoss(),
    )


def test_an_engine_goes_on_where_it_was_interrupted():
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"), val_data_loader=DataLoader(Pairs(), batch_size=2), network=nn.Identity()
    )
    seen: list[float] = []
    evaluator.add_event_handler(
        Events.GET_BATCH_COMPLETED, lambda engine: seen.append(float(engine.state.batch["image"].max()))
    )
    contender = EngineContender(evaluator)
    rounds = [contender.run(steps) for steps in (2, 1, 5)]
    assert [r.slices for r in rounds] == [4, 2, 10]
    assert seen == [1, 3, 5, 1, 3, 5, 1, 3]


def test_time_between_epochs_is_not_counted():
    engine = trainer(network_nap=NAP)
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: time.sleep(20 * NAP))
    round_ = EngineContender(engine).run(6)
    assert 6 * NAP <= round_.seconds < 20 * NAP


@pytest.mark.parametrize(("data_nap", "network_nap", "low", "high"), [(NAP, 0.0, 0.5, 1.0), (0.0, 3 * NAP, 0.0, 0.5)])
def test_the_device_waits_for_slow_data_and_not_for_itself(data_nap, network_nap, low, high):
    round_ = EngineContender(trainer(data_nap, network_nap)).run(6)
    assert low <= round_.wait_seconds / round_.seconds <= high


def test_making_the_batch_ready_is_waiting_on_a_cpu():
    engine = trainer()
    prepare_batch = engine.prepare_batch

    def slow(*args, **kwargs):
        time.sleep(NAP)
        return prepare_batch(*args, **kwargs)

    engine.prepare_batch = slow
    round_ = EngineContender(engine).run(4)
    assert round_.wait_seconds >= 4 * NAP


def test_a_function_is_called_as_often_as_asked():
    calls: list[int] = []
    round_ = StepContender(lambda: calls.append(1) or 7, "cpu").run(3)
    assert (len(calls), round_.slices) == (3, 21)
    assert round_.seconds > 0


def test_a_folder_waits_while_the_network_rests():
    network = SlowNetwork(NAP)

    def make():
        def restore() -> None:
            time.sleep(3 * NAP)  # reads
            network(torch.zeros(1))
            time.sleep(3 * NAP)  # writes

        return network, restore

    round_ = FolderContender(make, 5, "cpu").run(2)
    assert round_.slices == 10
    assert round_.wait_seconds >= 12 * NAP
    assert round_.seconds - round_.wait_seconds >= 2 * NAP


def test_going_on_without_having_waited_has_no_effect():
    clock = Clock("cpu")
    clock.go_on()
    assert clock.round(0).wait_seconds == 0
