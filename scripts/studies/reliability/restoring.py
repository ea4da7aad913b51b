# SPDX-License-Identifier: Apache-2.0
"""The inference of a folder as it is run here: with a network that changes nothing, or with the shipped one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...recipes.workflow import INFERENCE, as_text, recipe_workflow

__all__ = ["Restoring", "slowly"]


class Restoring:
    """A run of the inference config, to be called in a child.

    Args:
        dataset_dir: folder of the volumes.
        output_dir: folder of the results.
        shipped: whether to use the shipped network; else one that changes nothing.
        **settings: values of the config.
    """

    def __init__(self, dataset_dir: Path, output_dir: Path, shipped: bool = False, **settings: Any) -> None:
        self.dataset_dir, self.output_dir = dataset_dir, output_dir
        self.settings: dict[str, Any] = {"device": "cpu", "amp": False, **settings}
        if not shipped:
            weights = dataset_dir.parent / "weights.pt"
            weights.parent.mkdir(parents=True, exist_ok=True)
            if not weights.exists():
                torch.save({}, weights)
            self.settings |= {"weights": as_text(str(weights)), "network_def": {"_target_": "torch.nn.Identity"}}

    def __call__(self) -> None:
        """Restore; that volumes are skipped is no error here."""
        workflow = recipe_workflow(INFERENCE, "inference", self.settings, str(self.dataset_dir), str(self.output_dir))
        workflow.parser.get_parsed_content("evaluator").run()

    def report(self) -> dict[str, Any]:
        """What the run says of itself; empty where it says nothing."""
        try:
            return json.loads((self.output_dir / "report.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}


def slowly(seconds: float) -> Callable[[Tensor, Any], Tensor]:
    """An inferer that takes its time, so that a signal meets every part of a run."""

    def infer(inputs: Tensor, network: Any) -> Tensor:
        time.sleep(seconds)
        return inputs.clone()

    return infer
