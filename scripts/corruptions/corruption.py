# SPDX-License-Identifier: Apache-2.0
"""A chain of corruption steps, with the shares of images that stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from .draws import Draws
from .parameters import per_image, probability

__all__ = ["Corruption"]


class Corruption:
    """Damage a batch of clean images, step by step; the same image gets the same damage in any batch.

    Args:
        steps: called in this order as ``step(images, draws)``.
        seed: seed of all draws.
        untouched_prob: share of images that stay clean, so that the network learns to leave a good image alone.
        keep_zero_prob: share of images in which exact zeros of the clean image stay exactly zero. Skull-stripped,
            defaced and padded images have such a background, and a network that has never seen one paints a skull
            into it.

    Raises:
        ValueError: a probability outside ``[0, 1]``.

    Example:
        >>> corruption = Corruption([lambda images, draws: images + 1], seed=0)
        >>> keys = {"subject": torch.tensor([1, 1]), "slice": torch.tensor([3, 4]), "epoch": 0}
        >>> corruption(torch.zeros(2, 1, 8, 8), keys).mean()
        tensor(1.)
    """

    def __init__(
        self,
        steps: Sequence[Callable[[Tensor, Draws], Tensor]],
        seed: int = 0,
        untouched_prob: float = 0.0,
        keep_zero_prob: float = 0.0,
    ) -> None:
        self.steps = tuple(steps)
        self.seed = seed
        self.untouched_prob = probability(untouched_prob)
        self.keep_zero_prob = probability(keep_zero_prob)

    def __call__(self, images: Tensor, keys: Mapping[str, Tensor | int]) -> Tensor:
        """Damage ``images``.

        Args:
            images: clean, shape ``(B, C, *spatial)``.
            keys: ``subject``, ``slice`` (integers, shape ``(B,)``, on the device of ``images``) and ``epoch``.

        Returns:
            The damaged images, shape of ``images``.
        """
        draws = Draws(self.seed, keys)
        damaged = images
        for step in self.steps:
            damaged = step(damaged, draws)
        return torch.where(self._unchanged(images, draws), images, damaged)

    def hole_mask(self, images: Tensor, keys: Mapping[str, Tensor | int]) -> Tensor | None:
        """Where ``self(images, keys)`` erases: what an inpainting method must be told, and where it is judged.

        Args:
            images: clean, shape ``(B, C, *spatial)``.
            keys: as for the call.

        Returns:
            Boolean, shape ``(B, 1, *spatial)``; ``None`` where no step makes holes (has a method ``mask``).
        """
        draws = Draws(self.seed, keys)
        masks = [step.mask(images, draws) for step in self.steps if hasattr(step, "mask")]
        if not masks:
            return None
        return torch.stack(masks).any(dim=0) & ~self._unchanged(images, draws).all(dim=1, keepdim=True)

    def _unchanged(self, images: Tensor, draws: Draws) -> Tensor:
        unchanged = torch.zeros_like(images, dtype=torch.bool)
        if self.keep_zero_prob > 0:
            unchanged |= per_image(draws.uniform("corruption.keep_zero") < self.keep_zero_prob, images) & (images == 0)
        if self.untouched_prob > 0:
            unchanged |= per_image(draws.uniform("corruption.untouched") < self.untouched_prob, images)
        return unchanged
