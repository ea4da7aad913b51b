# SPDX-License-Identifier: Apache-2.0
"""The inference config on a folder, with a network that finds nothing to restore."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigWorkflow

from scripts.files.errors import one_line

ROOT = Path(__file__).resolve().parents[2]


def restore_folder(folder: Path, **options: Any) -> str | None:
    """Restore ``folder/in`` into ``folder/out``; the line that a command would end with, None where it succeeds."""
    weights = folder / "weights.pt"
    if not weights.exists():
        torch.save({}, weights)
    former = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.chdir(ROOT):
            workflow = ConfigWorkflow(
                "configs/inference.yaml",
                workflow_type="infer",
                logging_file=False,
                **{
                    "dataset_dir": os.fspath(folder / "in"),
                    "output_dir": os.fspath(folder / "out"),
                    "weights": os.fspath(weights),
                    "device": "cpu",
                    "network_def": {"_target_": "torch.nn.Identity"},
                    **options,
                },
            )
            workflow.initialize()
            workflow.run()
    except Exception as error:
        line = one_line(error)
        if line is None:
            raise
        return line
    finally:
        logging.disable(former)
    return None
