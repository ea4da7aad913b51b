# SPDX-License-Identifier: Apache-2.0
"""TensorFlow, where it is installed: the published implementation's way to build and train the same networks.

It is no dependency, and its requirements need not agree with this project's: give the Python of another environment.
Its training step has its batch ready and undamaged; this project's damages its own.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import torch

from ...networks import NETWORKS
from .child import Child
from .counter import network_layers
from .ours import Task, inference_config, train_config

__all__ = ["find_tensorflow", "tensorflow_child"]

PROGRAM = Path(__file__).with_name("tensorflow_program.py")


def find_tensorflow(python: str = "") -> str:
    """The Python that has TensorFlow; "" where there is none.

    Args:
        python: path of an interpreter. Empty: this one.

    Raises:
        ValueError: an interpreter was given and has no TensorFlow.
    """
    if not python:
        return sys.executable if importlib.util.find_spec("tensorflow") else ""
    check = "import importlib.util, sys; sys.exit(importlib.util.find_spec('tensorflow') is None)"
    try:
        found = subprocess.run([python, "-c", check], check=False, capture_output=True).returncode == 0
    except OSError:
        found = False
    if not found:
        raise ValueError(
            f"tensorflow_python '{python}' is no Python with TensorFlow: make one with python3 -m venv DIR; "
            "DIR/bin/pip install tensorflow-cpu, and give DIR/bin/python."
        )
    return python


def tensorflow_child(log: Path, python: str, work: str, task: Task) -> Child:
    """Start a training step or a forward pass of the task's network on one batch of noise.

    Args:
        log: for what the program says.
        python: as :func:`find_tensorflow` gives it.
        work: "train_step" or "forward".
        task: gives network, slice shape and seed; the size of the batch is that of the project's config.

    Raises:
        ChildProcessError: the network has no translation to Keras, or the program fails.
    """
    configure = train_config if work == "train_step" else inference_config
    config = configure(task, initialize=False)
    batch_size = config.get_parsed_content("batch_size")
    torch.manual_seed(task.seed)
    try:
        layers = network_layers(NETWORKS[task.network]())
    except NotImplementedError as error:
        raise ChildProcessError(str(error)) from error
    images = torch.rand(batch_size, *task.sample.slice_shape, 1).numpy()
    return Child.execute(log, [str(Path(python).absolute()), str(PROGRAM)], work, layers, images)
