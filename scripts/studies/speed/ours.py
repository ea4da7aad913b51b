# SPDX-License-Identifier: Apache-2.0
"""This project as a user gets it: its own configs, with nothing set but the data, the network and the device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from torch import Tensor, nn

from ...files.atomic import replacing
from ...metrics import peak_signal_to_noise_ratio
from ...recipes.places import ROOT
from ...recipes.weights import load_weights
from .contenders import Contender, EngineContender, FolderContender, StepContender
from .sample import Sample

__all__ = [
    "DEFAULT_NETWORK", "Task", "corruption", "data", "evaluation", "forward", "forward_contender", "inference",
    "inference_config", "loading", "measure_accuracy", "train_config", "train_step",
]  # fmt: skip


@dataclass(frozen=True)
class Task:
    """The same for all contenders of a match.

    Attributes:
        sample: the data.
        network: file of ``configs/net`` without its ending.
        device: such as "cpu" or "cuda".
        seed: seed of everything random.
        work_dir: an existing folder for what contenders write.
    """

    sample: Sample
    network: str
    device: str
    seed: int
    work_dir: str


#: The network of train.yaml, which needs no fragment and has published weights.
DEFAULT_NETWORK = "residual_unet"
#: It in inference, which has another default.
SLICE_NETWORK = {
    "spatial_dims": 2,
    "network_def": {"_target_": "scripts.networks.ResidualUNet", "spatial_dims": 2, "residual_output": True},
    "weights": str(ROOT / "bundle/brain_mri_autoencoder/model.pt"),
}
#: So long is the training, and the time between two validations, in epochs: rounds of training are not to end.
FOREVER = 10**6


def train_config(task: Task, initialize: bool = True, **values: Any) -> ConfigParser:
    """``configs/train.yaml`` for a task.

    Args:
        task: task of the match.
        initialize: as MONAI's runner does it before a run. A peer that only looks values up must not be set up.
        values: values that override the config.
    """
    values = {"seed": task.seed, "max_epochs": FOREVER, "val_interval": FOREVER, **values}
    values |= {"dataset_dir": task.sample.dataset_dir, "cache_dir": str(Path(task.work_dir) / "cache")}
    return _config("train", task, initialize, values)


def inference_config(task: Task, initialize: bool = True, **values: Any) -> ConfigParser:
    """``configs/inference.yaml`` for a task, as above; a network without published weights gets random ones."""
    values["dataset_dir"] = task.sample.volumes_dir
    if task.network == DEFAULT_NETWORK:
        values = {**SLICE_NETWORK, **values}
    else:
        torch.manual_seed(task.seed)
        network = _config("inference", task, False, values).get_parsed_content("network_def")
        values["weights"] = str(Path(task.work_dir) / f"{task.network}.pt")
        with replacing(values["weights"]) as partial:
            torch.save(network.state_dict(), partial)
    return _config("inference", task, initialize, values)


def _config(name: str, task: Task, initialize: bool, values: Mapping[str, Any]) -> ConfigParser:
    files = [ROOT / "configs" / f"{name}.yaml"]
    if task.network != DEFAULT_NETWORK:
        files.append(ROOT / "configs" / "net" / f"{task.network}.yaml")
    workflow = ConfigWorkflow(
        [str(file) for file in files],
        workflow_type=name,
        logging_file=False,
        bundle_root=str(ROOT),
        output_dir=str(Path(task.work_dir) / name),
        plane=task.sample.plane,
        device=f"$torch.device('{task.device}')",
        **values,
    )
    if initialize:
        workflow.initialize()
    return workflow.parser


def train_step(task: Task, **values: Any) -> Contender:
    """Batch, damage, forward, backward and optimiser: the trainer of the config with all its handlers.

    Args:
        task: task of the match.
        values: values that override the config, to try its other ways.
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


@torch.no_grad()
def measure_accuracy(task: Task) -> list[dict[str, Any]]:
    """Restore the same damaged slices with the network as configured, in both precisions, and plain.

    The plain network is the class itself with the published weights: float32, nothing folded.

    Args:
        task: its sample's test subjects are restored; its network does not matter.

    Returns:
        For each arithmetic, the plain one first, its name, the number of ``slices``, the ``psnr`` of the mean squared
        error of all their pixels in dB, and the ``largest_difference`` of a pixel from the plain network's (1 = the
        volume's 99.5th percentile).
    """
    task = replace(task, network=DEFAULT_NETWORK)
    held_out: dict[str, Any] = {"validate#datalist#part": "test"}
    training = train_config(task, **held_out)
    prepare_batch = training.get_parsed_content("validate#evaluator").prepare_batch
    loader = training.get_parsed_content("validate#dataloader")
    pairs = [prepare_batch(batch, torch.device(task.device)) for batch in loader]
    damaged, clean = (torch.cat(images) for images in zip(*pairs, strict=True))
    config = inference_config(task)
    plain = load_weights(config.get_parsed_content("network_def"), config.get_parsed_content("weights"))
    networks = {
        "plain float32": plain.to(task.device).eval(),
        "float32, all else on": inference_config(task, amp=False).get_parsed_content("network"),
        "bfloat16, all else on": inference_config(task, amp=True).get_parsed_content("network"),
        "as configured": config.get_parsed_content("network"),
    }
    restored = {name: torch.cat([network(batch) for batch in damaged.split(16)]) for name, network in networks.items()}
    return [
        {
            "arithmetic": name,
            "slices": len(clean),
            "psnr": peak_signal_to_noise_ratio(float((image - clean).square().mean())),
            "largest_difference": float((image - restored["plain float32"]).abs().max()),
        }
        for name, image in restored.items()
    ]
