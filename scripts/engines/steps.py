# SPDX-License-Identifier: Apache-2.0
"""Several steps of the optimiser from one prepared batch."""

from __future__ import annotations

from typing import Any

import torch
from monai.engines import SupervisedTrainer
from torch import Tensor

__all__ = ["StepsPerBatch"]


class StepsPerBatch:
    """``iteration_update`` for MONAI's trainer that takes a step for each part of a batch.

    Damage is drawn and computed for many volumes at once, which on a GPU takes hardly longer than for a few; the
    network learns more from many steps.

    Args:
        size: images of a step; the last part of a batch may be smaller.
        slices: largest number of slices of a step, into which volumes are cut along their last axis; by default all.
        passes: how often a batch is gone through, in random order; every second time its images are mirrored along
            their last axis.
        max_norm: largest norm of the gradient; a larger one is scaled down.

    Raises:
        ValueError: ``size`` or ``passes`` is not positive.
    """

    def __init__(self, size: int, slices: int | None = None, max_norm: float = 1.0, passes: int = 1) -> None:
        if size < 1 or passes < 1:
            raise ValueError(f"size and passes must be positive numbers, got {size} and {passes}.")
        self.size, self.slices, self.max_norm, self.passes = size, slices, max_norm, passes

    def __call__(self, engine: SupervisedTrainer, batchdata: dict[str, Tensor]) -> dict[str, Any]:
        """One iteration: input, target, prediction and loss of the last step."""
        device = engine.state.device
        images, targets, *more = engine.prepare_batch(batchdata, device, engine.non_blocking, **engine.to_kwargs)
        known = more[1] if more else {}
        network, optimizer = engine.network, engine.optimizer
        network.train()
        losses, parts = [], list(zip(self._parts(images), self._parts(targets), strict=True))
        per_part = {name: self._per_part(values, images) for name, values in known.items()}
        for number in torch.randperm(len(parts)).tolist():
            image, target = parts[number]
            optimizer.zero_grad()
            prediction = engine.inferer(image, network, **{name: values[number] for name, values in per_part.items()})
            loss = engine.loss_function(prediction, target)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), self.max_norm)
            optimizer.step()
            losses.append(loss.detach())
        output = {"image": image, "label": target, "pred": prediction, "loss": torch.stack(losses).mean()}
        engine.state.output = output
        return output

    def _per_part(self, values: Tensor, images: Tensor) -> list[Tensor]:
        """What is known of each image, ``(B, ...)``, for each of :meth:`_parts`."""
        depth = self.slices or images.shape[-1]
        cuts = -(-images.shape[-1] // depth)
        return [some for _ in range(self.passes) for some in values.split(self.size) for _ in range(cuts)]

    def _parts(self, images: Tensor) -> list[Tensor]:
        depth = self.slices or images.shape[-1]
        once = [part for some in images.split(self.size) for part in some.split(depth, dim=-1)]
        mirrored = once if images.ndim < 3 else [part.flip(-1) for part in once]  # numbers of an image have no sides
        return [part for number in range(self.passes) for part in (mirrored if number % 2 else once)]
