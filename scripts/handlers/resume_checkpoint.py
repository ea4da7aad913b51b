# SPDX-License-Identifier: Apache-2.0
"""All that a training needs to go on where it was interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events
from monai.engines import Workflow

from ..replacing import replacing
from .plain_state import plain_state

__all__ = ["ResumeCheckpoint"]


class ResumeCheckpoint:
    """Save the state of all parts after each epoch, and load it at the start if asked to.

    Together with :class:`~scripts.handlers.epoch_seed.EpochSeed`, a run that was interrupted anywhere ends with the
    same weights as one that was not.

    Args:
        path: file to write, by rename.
        parts: objects with ``state_dict`` and ``load_state_dict``: ``network``, optimizer, scheduler, handlers.
        resume: start from ``path``.

    Raises:
        FileNotFoundError: ``resume`` without a checkpoint.
    """

    def __init__(self, path: str | Path, parts: Mapping[str, Any], resume: bool = False) -> None:
        self.path = Path(path)
        self.parts = dict(parts)
        self.resume = resume
        if resume and not self.path.is_file():
            raise FileNotFoundError(f"resume needs {self.path}, which does not exist: start without --resume true.")

    def attach(self, engine: Workflow) -> None:
        """Attach to the trainer as its last handler."""
        engine.add_event_handler(Events.STARTED, self._load)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._save)

    def _save(self, engine: Workflow) -> None:
        if engine.state.rank == 0:
            states = {n: plain_state(p) if n == "network" else p.state_dict() for n, p in self.parts.items()}
            finished = engine.should_terminate
            with replacing(self.path) as partial:
                torch.save({"epoch": engine.state.epoch, "finished": bool(finished), **states}, partial)

    def _load(self, engine: Workflow) -> None:
        if not self.resume:
            return
        saved = torch.load(self.path, map_location=engine.state.device, weights_only=True)
        for name, part in self.parts.items():
            module = getattr(part, "module", part) if name == "network" else part
            module.load_state_dict(saved[name])
        engine.state.epoch = saved["epoch"]
        engine.state.iteration = saved["epoch"] * engine.state.epoch_length
        engine.logger.info(f"resumed from {self.path} after epoch {saved['epoch']}")
        if saved["finished"]:
            engine.terminate()
