# SPDX-License-Identifier: Apache-2.0
"""The project's own configs, with nothing set but the data, the network and the device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser, ConfigWorkflow

from ..replacing import replacing
from .task import Task

__all__ = ["DEFAULT_NETWORK", "inference_config", "train_config"]

ROOT = Path(__file__).resolve().parent.parent.parent
#: The network of train.yaml and inference.yaml, which needs no fragment and has published weights.
DEFAULT_NETWORK = "residual_unet"
#: So long is the training, and the time between two validations, in epochs: rounds of training are not to end.
FOREVER = 10**6


def train_config(task: Task, initialize: bool = True, **values: Any) -> ConfigParser:
    """``configs/train.yaml`` for a task.

    Args:
        task: what to do.
        initialize: as MONAI's runner does it before a run. A peer that only looks values up must not be set up.
        values: override the config.
    """
    values = {"seed": task.seed, "max_epochs": FOREVER, "val_interval": FOREVER, **values}
    values |= {"dataset_dir": task.sample.dataset_dir, "cache_dir": str(Path(task.work_dir) / "cache")}
    return _config("train", task, initialize, values)


def inference_config(task: Task, initialize: bool = True, **values: Any) -> ConfigParser:
    """``configs/inference.yaml`` for a task, as above; a network without published weights gets random ones."""
    values["dataset_dir"] = task.sample.volumes_dir
    if task.network != DEFAULT_NETWORK:
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
