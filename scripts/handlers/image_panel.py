# SPDX-License-Identifier: Apache-2.0
"""Pictures and curves for TensorBoard."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from ignite.engine import Events
from monai.engines import Workflow
from torch import Tensor

from .history import History

__all__ = ["ImagePanel", "panel"]

ERROR_GAIN = 5.0
"""Errors are shown this many times brighter than the images."""


def panel(damaged: Tensor, restored: Tensor, clean: Tensor) -> Tensor:
    """Damaged, restored, clean and absolute error side by side, one row per image.

    Class probabilities are shown as their expected class, a grey level.

    Args:
        damaged: shape ``(B, C, H, W)``, or ``(B, C, H, W, D)``, of which the middle of the last axis is shown.
        restored: same shape, except for the channels of class probabilities.
        clean: shape of ``restored``.

    Returns:
        Shape ``(1, B * H, 4 * W)``, values in ``[0, 1]``.
    """
    damaged, restored, clean = (
        _expected_class(images) if images.shape[1] > 1 else images for images in (damaged, restored, clean)
    )
    columns = [damaged, restored, clean, ERROR_GAIN * (restored - clean).abs()]
    if clean.ndim == 5:
        columns = [column[..., clean.shape[-1] // 2] for column in columns]
    rows = torch.cat([column.float().clamp(0, 1) for column in columns], dim=3)  # (B, 1, H, 4 * W)
    return torch.cat(list(rows), dim=1)


def _expected_class(probabilities: Tensor) -> Tensor:
    """Mean class of ``(B, C, *spatial)`` divided by the highest class, ``(B, 1, *spatial)`` in [0, 1]."""
    levels = torch.linspace(0, 1, probabilities.shape[1], device=probabilities.device)
    return torch.einsum("bc...,c->b...", probabilities.float(), levels)[:, None]


class ImagePanel:
    """Write the numbers of each epoch, and a :func:`panel` of the first slices of each validation.

    Args:
        log_dir: folder of the TensorBoard events.
        evaluator: the validation engine.
        history: handler with the numbers; those of ``history.csv`` are written under the same names.
        num_images: number of rows of the picture.
    """

    def __init__(self, log_dir: str, evaluator: Workflow, history: History, num_images: int = 4) -> None:
        from torch.utils.tensorboard import SummaryWriter  # the package tensorboard may be missing

        self.open_writer = partial(SummaryWriter, log_dir)
        self.evaluator = evaluator
        self.history = history
        self.num_images = num_images
        self.writer: Any = None
        self._picture: Tensor | None = None

    def attach(self, engine: Workflow) -> None:
        """Attach to the trainer, after ``history``."""
        self.evaluator.add_event_handler(Events.ITERATION_COMPLETED, self._take)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._write)
        engine.add_event_handler(Events.COMPLETED | Events.TERMINATE, self._close)

    def _take(self, evaluator: Workflow) -> None:
        output = evaluator.state.output
        if evaluator.state.iteration == 1 and output["pred"].ndim == output["image"].ndim:  # images to show
            shown = (output[name][: self.num_images].detach().cpu() for name in ("image", "pred", "label"))
            self._picture = panel(*shown)

    def _write(self, engine: Workflow) -> None:
        if self.writer is None:
            self.writer = self.open_writer()
        step = engine.state.epoch
        for name, value in self.history.rows[-1].items():
            if name != "epoch":
                self.writer.add_scalar(name, value, step)
        if self._picture is not None:
            self.writer.add_image("damaged, restored, clean, error x5", self._picture, step)
            self._picture = None

    def _close(self, engine: Workflow) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None
