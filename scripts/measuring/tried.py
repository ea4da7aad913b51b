# SPDX-License-Identifier: Apache-2.0
"""Other ways to run the same network, which this project tried: the network alone, on one batch."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import nn

from .configs import inference_config
from .contender import Contender
from .ours import forward_contender
from .step_contender import StepContender
from .task import Task

__all__ = ["compiled", "onnxruntime", "plain"]


def plain(task: Task) -> Contender:
    """As it is: float32, plain memory layout, batch normalisation on its own."""
    return forward_contender(_network(task).to(task.device), _batch_size(task), task)


def compiled(task: Task) -> Contender:
    """``torch.compile`` of the network that inference uses; needs a C++ compiler on a CPU."""
    network = inference_config(task).get_parsed_content("network")
    return forward_contender(torch.compile(network), _batch_size(task), task)


def onnxruntime(task: Task) -> Contender:
    """ONNX Runtime with its defaults, float32."""
    from onnxruntime import InferenceSession

    images = torch.rand(_batch_size(task), 1, *task.sample.slice_shape)
    path = Path(tempfile.mkdtemp(dir=task.work_dir)) / "network.onnx"
    torch.onnx.export(_network(task), (images,), path, input_names=["image"], dynamo=True)
    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {"image": images.numpy()}
    return StepContender(lambda: len(session.run(None, feed)[0]), "cpu")


def _network(task: Task) -> nn.Module:
    return inference_config(task, initialize=False).get_parsed_content("network_def").eval()


def _batch_size(task: Task) -> int:
    return inference_config(task, initialize=False).get_parsed_content("batch_size")
