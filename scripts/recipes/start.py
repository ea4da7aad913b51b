# SPDX-License-Identifier: Apache-2.0
"""The start of a training: its folder is free, what is resumed is what was begun, and its config is kept beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser

from ..files.checked import check_zip
from ..files.folder_claim import keep_claimed
from .checks import OBJECT, running_parser

__all__ = ["settings", "start_training"]

RESULTS = ("checkpoint.pt", "history.csv", "model.pt")
RECORDS = ("config.yaml", "events.out.tfevents.*")
"""What a training writes. Records alone are of one that failed before its first epoch had ended."""

LASTING = {
    "accumulation_steps", "batch_size", "corruption", "freeze", "initial_weights", "learning_rate", "loss",
    "lr_schedule_handler", "lr_scheduler", "max_epochs", "network_def", "optimizer", "plane", "reconstruction_loss",
    "regularisers", "seed", "spatial_dims", "volume_transforms",
}  # fmt: skip
"""Keys that determine the course of a training."""

CHANGEABLE = {"learning_rate", "lr_scheduler", "max_epochs", "optimizer"}
"""Those of them that may change when it is resumed."""


def start_training(output_dir: str, resume: bool, overwrite: bool) -> None:
    """Claim the folder of a training, see to former results in it, and save the config as it is run.

    Args:
        output_dir: folder of the results, made if it is missing.
        resume: whether to go on with the training in it.
        overwrite: whether to remove the results of the training in it.

    Raises:
        FileExistsError: it has results of a training, and neither is wanted.
        ValueError: both are wanted; ``weights`` are given, which only evaluation reads; the training that is resumed
            had other settings that cannot be changed.
    """
    config = running_parser().get()
    folder = Path(output_dir)
    given, usual = config.get("weights"), "$@output_dir + '/model.pt'"
    if given is not None and given != usual:
        raise ValueError(
            f"weights {given} are for evaluating; training would start from random ones. To start from a file, give "
            "--initial_weights FILE."
        )
    if resume and overwrite:
        raise ValueError("resume and overwrite exclude each other: give one of them.")
    keep_claimed(output_dir)
    former = [folder / name for name in RESULTS if (folder / name).is_file()]
    if resume:
        goes_on = check_resumed(folder / "checkpoint.pt", settings(), config)
    elif former and not overwrite:
        raise FileExistsError(
            f"output_dir {output_dir} has a training already ({former[0].name}): give another one, --resume true to go "
            "on with it, or --overwrite true to start anew."
        )
    elif overwrite:
        for path in [*former, *(path for pattern in RECORDS for path in folder.glob(pattern))]:
            path.unlink()
    if not resume or goes_on:
        save_config(config, folder / "config.yaml")


def settings() -> dict[str, Any]:
    """The values of the running config that determine the course of a training, by key."""
    config = running_parser().get()
    return {key: _plain(config[key]) for key in sorted(LASTING & config.keys())}


def check_resumed(checkpoint: Path, now: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Refuse to resume a training with other settings than it was begun with.

    Args:
        checkpoint: file of the training.
        now: :func:`settings`.
        config: config of the run.

    Returns:
        Whether anything is left to train.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged; settings differ that cannot be changed, by name.
    """
    if not checkpoint.is_file():
        raise FileNotFoundError(f"resume needs {checkpoint}, which does not exist: start without --resume true.")
    check_zip(checkpoint)
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    then: dict[str, Any] = saved.get("settings", {})
    for key in sorted(then.keys() & now.keys()):
        former, own = then[key], now[key]
        if key in CHANGEABLE:  # all but the class
            former, own = (value.get("_target_") if isinstance(value, dict) else None for value in (former, own))
        if former != own:
            raise ValueError(
                f"{key} cannot be changed in a training that is resumed: {checkpoint} has {_short(then[key])}, not "
                f"{_short(now[key])}. Start anew in another output_dir, for example with its model.pt as "
                "initial_weights."
            )
    rates = [found.get("learning_rate") for found in (then, now)]
    if rates[0] != rates[1] and not all(isinstance(rate, int | float) and rate > 0 for rate in rates):
        raise ValueError(
            f"learning_rate can be changed from one number to another only, not from {rates[0]!r} to {rates[1]!r}."
        )
    if isinstance(now["max_epochs"], int) and now["max_epochs"] < saved["epoch"]:
        raise ValueError(
            f"max_epochs is {now['max_epochs']}, but {checkpoint} has {saved['epoch']} epochs: give as many at least."
        )
    waited, patience = saved.get("early_stop", {}).get("waited", 0), config["early_stopping_patience"]
    return saved["epoch"] != now["max_epochs"] and not (isinstance(patience, int) and waited >= patience)


def save_config(config: Mapping[str, Any], path: Path) -> None:
    """Write the config as merged from all files and overrides, the exact truth about a run.

    Args:
        config: config; what is an object of Python, and not of YAML, is saved as its repr and marked as such.
        path: YAML file.
    """
    plain = _plain({key: value for key, value in config.items() if key != "_meta_"})
    ConfigParser.export_config_file(plain, str(path), fmt="yaml", sort_keys=False, indent=2)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        return value.item()
    return OBJECT + re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _short(value: Any, length: int = 60) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= length else f"{text[:length]}..."
