# SPDX-License-Identifier: Apache-2.0
"""The two implementations: this project's bundle, and pythae in its own Python."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser

from ...networks.latent import VariationalAutoencoder
from ...recipes.recipe import ROOT
from .pythae_program import PARTS
from .task import PeerTask

__all__ = ["check_pythae", "train_ours", "train_pythae"]

PROGRAM = Path(__file__).with_name("pythae_program.py")
LOG_LINES_SHOWN = 15


def check_pythae(python: str) -> str:
    """Give the path of a Python that has pythae.

    Raises:
        ValueError: it has none.
    """
    check = "import importlib.util, sys; sys.exit(importlib.util.find_spec('pythae') is None)"
    try:
        found = subprocess.run([python, "-c", check], check=False, capture_output=True).returncode == 0
    except OSError:
        found = False
    if not found:
        raise ValueError(
            f"pythae_python '{python}' is no Python with pythae: make one with python3 -m venv DIR; "
            "DIR/bin/pip install pythae, and give DIR/bin/python."
        )
    return str(Path(python).absolute())


def train_ours(task: PeerTask) -> VariationalAutoencoder:
    """Train with MONAI's bundle runner; the weights of the best epoch on the validation subjects.

    Raises:
        ChildProcessError: the training failed.
    """
    folder = task.folder.absolute()
    settings = {**task.recipe.settings, **task.settings, "output_dir": str(folder)}
    settings["config_file"] = list(task.recipe.files)
    folder.mkdir(parents=True, exist_ok=True)
    ConfigParser.export_config_file(settings, str(folder / "recipe.yaml"), fmt="yaml")
    _call([sys.executable, "-m", "monai.bundle", "run", "training", "--args_file", str(folder / "recipe.yaml")], folder)
    network = task.network()
    network.load_state_dict(torch.load(folder / "model.pt", map_location="cpu", weights_only=True))
    return network


def train_pythae(task: PeerTask, python: str) -> VariationalAutoencoder:
    """Train with pythae from initial weights of the same distribution; the weights of the best epoch likewise.

    Raises:
        ChildProcessError: the training failed.
    """
    folder = task.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    network = task.network()
    torch.save({name: list(getattr(network, name).state_dict().values()) for name in PARTS}, folder / "start.pt")
    for part in ("training", "validation"):
        np.save(folder / f"{part}.npy", task.slices(part)[0].numpy())
    (folder / "task.json").write_text(json.dumps(_description(task)), encoding="utf-8")
    try:
        _call([python, str(PROGRAM), str(folder)], folder)
    finally:
        for part in ("training", "validation"):
            (folder / f"{part}.npy").unlink()
    trained = torch.load(folder / "trained.pt", weights_only=True)
    for name in PARTS:
        part = getattr(network, name)
        part.load_state_dict(dict(zip(part.state_dict(), trained[name], strict=True)))
    return network


def _description(task: PeerTask) -> dict[str, Any]:
    """The task as pythae's program reads it."""
    config, network = task.config, task.network()
    optimizer = config["optimizer"]
    known = {"_target_", "params", "lr", "fused"}
    return {
        "shape": list(network.image_shape),
        "latent_size": network.latent_size,
        "channels": config["network_def"]["channels"],
        "strides": config["network_def"]["strides"],
        "beta": float(task.beta),
        "scale": math.sqrt(2 * config["reconstruction_loss"]["alpha"]),
        "max_epochs": task.max_epochs,
        "batch_size": config["batch_size"],
        "learning_rate": config["learning_rate"],
        "optimizer": optimizer["_target_"].rsplit(".", 1)[-1],
        "optimizer_params": {name: value for name, value in optimizer.items() if name not in known},
        "seed": task.seed,
        "device": task.device,
    }


def _call(command: list[str], folder: Path) -> None:
    log = folder / "training.log"
    with log.open("wb") as file:
        status = subprocess.run(command, cwd=ROOT, stdout=file, stderr=file, check=False).returncode
    if status:
        lines = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").splitlines()
        end = "\n".join(lines[-LOG_LINES_SHOWN:])
        raise ChildProcessError(f"a training ended with status {status}; the end of {log}:\n{end}")
