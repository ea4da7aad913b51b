# SPDX-License-Identifier: Apache-2.0
"""This project, through its own configs: what a user gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .configs import inference_config, train_config
from .contender import Contender
from .engine_contender import EngineContender
from .folder_contender import FolderContender
from .step_contender import StepContender
from .task import Task

__all__ = ["corruption", "data", "evaluation", "forward", "forward_contender", "inference", "loading", "train_step"]


def train_step(task: Task, **values: Any) -> Contender:
    """Batch, damage, forward, backward and optimiser: the trainer of the config with all its handlers.

    Args:
        task: what to do.
        values: override the config, to try its other ways.
    """
    return EngineContender(train_config(task, **values).get_parsed_content("train#trainer"))


def evaluation(task: Task) -> Contender:
    """Batch, damage, forward and metrics: the validation's evaluator."""
    return EngineContender(train_config(task).get_parsed_content("validate#evaluator"))


def inference(task: Task) -> Contender:
    """A folder of volumes, each read, restored and written."""

    def make() -> tuple[nn.Module, Callable[[], None]]:
        config = inference_config(task)
        evaluator, report = (config.get_parsed_content(name) for name in ("evaluator", "report"))

        def restore() -> None:
            evaluator.run()
            report.finish()  # fails if a volume was skipped

        return evaluator.network, restore

    return FolderContender(make, task.sample.volume_slices, task.device)


def data(task: Task) -> Contender:
    """Clean batches as the trainer asks for them, brought to the device."""
    return loading(train_config(task).get_parsed_content("train#dataloader"), task.device)


def corruption(task: Task) -> Contender:
    """The damage of a batch that is on the device already."""
    config = train_config(task)
    batch = next(iter(config.get_parsed_content("train#dataloader")))
    batch = {name: values.to(task.device) for name, values in batch.items()}
    prepare_batch, device = config.get_parsed_content("train#prepare_batch"), torch.device(task.device)

    def step() -> int:
        damaged, _ = prepare_batch(batch, device)
        return len(damaged)

    return StepContender(step, device)


def forward(task: Task) -> Contender:
    """The network alone, set up as for inference, on a batch that is on the device already."""
    config = inference_config(task)
    return forward_contender(config.get_parsed_content("network"), config.get_parsed_content("batch_size"), task)


def forward_contender(network: Callable[[Tensor], Tensor], batch_size: int, task: Task) -> Contender:
    """A network applied to one batch of noise, ``(batch_size, 1, H, W)``, on the task's device."""
    images = torch.rand(batch_size, 1, *task.sample.slice_shape, device=task.device)

    @torch.no_grad()
    def step() -> int:
        return len(network(images))

    return StepContender(step, task.device)


def loading(loader: Iterable[dict[str, Any]], device: str) -> Contender:
    """Batches of a loader, epoch after epoch, their images brought to a device."""

    def batches() -> Iterator[dict[str, Any]]:
        while True:
            yield from loader

    endless = batches()
    return StepContender(lambda: len(next(endless)["image"].to(device)), device)
