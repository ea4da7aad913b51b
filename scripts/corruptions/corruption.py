# SPDX-License-Identifier: Apache-2.0
"""A chain of corruption steps that leaves some images, or their zero background, unchanged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .draws import Draws
from .parameters import as_images, as_volumes, damage_chosen, per_image, probability
from .undersampling import Acquisition, acquired

__all__ = ["Corruption", "EachSlice", "VolumeCorruption"]

Step = Callable[[Tensor, Draws], Tensor]
Observer = Callable[[Step, Tensor, Tensor], None]


class Corruption:
    """Damage batches of clean images step by step; an image gets the same damage in any batch.

    The images are slices ``(B, 1, H, W)``, stacks ``(B, C, H, W)`` of C neighbouring slices, or volumes
    ``(B, 1, H, W, D)`` whose last axis counts slices.

    Args:
        steps: corruption steps, called in this order as ``step(images, draws)``.
        seed: seed of all draws.
        untouched_prob: share of images that stay clean, so that the network learns to leave good images alone.
        keep_zero_prob: share of images in which exact zeros of the clean image stay exactly zero. Skull-stripped,
            defaced and padded images have such a background, and a network that has never seen one paints a skull
            into it.
        numbers: numbers of steps that damage an image, of which one is drawn, such as ``[1, 1, 2]``; the steps are
            drawn in proportion to ``weights`` and called in their order. By default all steps are called.
        weights: relative probabilities of the steps; equal by default.
        background: steps applied after the damage, to the image and its target alike, see
            :mod:`~scripts.corruptions.background`.

    Raises:
        ValueError: a probability is outside ``[0, 1]``, one of ``numbers`` exceeds the number of steps, or ``weights``
            is not one positive number per step.

    Example:
        >>> corruption = Corruption([lambda images, draws: images + 1], seed=0)
        >>> keys = {"subject": torch.tensor([1, 1]), "slice": torch.tensor([3, 4]), "epoch": 0}
        >>> corruption(torch.zeros(2, 1, 8, 8), keys).mean()
        tensor(1.)
    """

    def __init__(
        self,
        steps: Sequence[Step],
        seed: int = 0,
        untouched_prob: float = 0.0,
        keep_zero_prob: float = 0.0,
        numbers: Sequence[int] | None = None,
        weights: Sequence[float] | None = None,
        background: Sequence[Any] = (),
    ) -> None:
        self.steps = tuple(steps)
        self.seed = seed
        self.untouched_prob = probability(untouched_prob)
        self.keep_zero_prob = probability(keep_zero_prob)
        self.numbers = None if numbers is None else list(numbers)
        if numbers is not None and not (numbers and all(n in range(len(self.steps) + 1) for n in numbers)):
            raise ValueError(f"numbers must be some from 0 to {len(self.steps)}, the number of steps, got {numbers}.")
        self.weights = list(weights) if weights is not None else [1.0] * len(self.steps)
        if len(self.weights) != len(self.steps) or not all(weight > 0 for weight in self.weights):
            raise ValueError(f"weights must be {len(self.steps)} positive numbers, one for each step, got {weights}.")
        self.background = tuple(background)

    def __call__(self, images: Tensor, keys: Mapping[str, Tensor | int]) -> Tensor:
        """Damage ``images``.

        Args:
            images: clean images, shape ``(B, C, *spatial)``.
            keys: ``subject``, ``slice`` (integers, shape ``(B,)``, on the device of ``images``) and ``epoch``; the
                steps of ``background`` look for ``brain``, a mask in the shape of ``images``.

        Returns:
            The damaged images, shape of ``images``.
        """
        return self.pair(images, keys)[0]

    def pair(
        self, images: Tensor, keys: Mapping[str, Tensor | int], observe: Observer | None = None
    ) -> tuple[Tensor, Tensor]:
        """Damage ``images``, and give the targets too.

        Args:
            images: clean images, shape ``(B, C, *spatial)``.
            keys: same as for the call.
            observe: called after each step as ``observe(step, before, after)``.

        Returns:
            The damaged images and their targets: the clean images, or what ``background`` leaves of them.
        """
        draws = Draws(self.seed, keys)
        damaged = target = images
        for step, chosen in zip(self.steps, self._chosen(draws), strict=True):
            before = damaged
            damaged = step(damaged, draws) if chosen is None else damage_chosen(damaged, chosen, step, draws)
            if observe is not None:
                observe(step, before, damaged)
        damaged = torch.where(self._unchanged(images, draws), images, damaged)
        for background in self.background:
            lost = ~background.kept(images, draws, keys.get("brain"))
            damaged, target = damaged.masked_fill(lost, 0.0), target.masked_fill(lost, 0.0)
        return damaged, target

    def hole_mask(self, images: Tensor, keys: Mapping[str, Tensor | int]) -> Tensor | None:
        """Mask of what ``self(images, keys)`` erases: inpainting methods are given it and scored in it.

        Args:
            images: clean images, shape ``(B, C, *spatial)``.
            keys: same as for the call.

        Returns:
            Boolean, shape ``(B, 1, *spatial)``, or ``(B, C, *spatial)`` where the slices of a stack differ; ``None``
            if no step makes holes (has a method ``mask``).
        """
        draws = Draws(self.seed, keys)
        if not any(map(_makes_holes, self.steps)):
            return None
        return self.erased(images, draws) & ~self._unchanged(images, draws).all(dim=1, keepdim=True)

    def erased(self, images: Tensor, draws: Draws) -> Tensor:
        """Mask of what the steps erase, shape of :meth:`hole_mask`; holes may depend on the damage before them."""
        damaged, erased = images, torch.zeros_like(images[:, :1], dtype=torch.bool)
        for step, chosen in zip(self.steps, self._chosen(draws), strict=True):
            if hasattr(step, "mask"):
                mask = step.mask(damaged, draws)
                erased = erased | (mask if chosen is None else mask & per_image(chosen, mask))
            damaged = step(damaged, draws) if chosen is None else damage_chosen(damaged, chosen, step, draws)
        return erased

    def acquisition(self, images: Tensor, keys: Mapping[str, Tensor | int]) -> Acquisition | None:
        """What ``self(images, keys)`` leaves of k-space: reconstructions are given it.

        It is the k-space of the images as they were before the first step that undersamples them, that is, before
        their magnitude was taken.

        Args:
            images: clean images, shape ``(B, C, *spatial)``.
            keys: same as for the call.

        Returns:
            What was measured; ``None`` if no step undersamples (has a method ``lines``).
        """
        draws = Draws(self.seed, keys)
        damaged, scanned, lines = images, images, None
        for step, chosen in zip(self.steps, self._chosen(draws), strict=True):
            if hasattr(step, "lines"):
                own = step.lines(damaged, draws)
                own = own if chosen is None else own | ~chosen[:, None, None]
                scanned, lines = (damaged, own) if lines is None else (scanned, lines & own)
            damaged = step(damaged, draws) if chosen is None else damage_chosen(damaged, chosen, step, draws)
        if lines is None:
            return None
        return acquired(scanned, lines | self._unchanged(images, draws).flatten(1).all(dim=1)[:, None, None])

    def _chosen(self, draws: Draws) -> list[Tensor | None]:
        """Mask of the images that each step damages, shape ``(B,)``; ``None`` stands for all."""
        if self.numbers is None:
            return [None] * len(self.steps)
        waiting = -draws.uniform_field("corruption.steps", (len(self.steps),)).log()
        waiting = waiting / torch.tensor(self.weights, device=waiting.device)  # exponential: the first ones are chosen
        order = waiting.argsort(dim=1).argsort(dim=1)
        drawn = draws.integers("corruption.number", 0, len(self.numbers))
        number = torch.tensor(self.numbers, device=drawn.device)[drawn]
        return list((order < number[:, None]).unbind(dim=1))

    def _unchanged(self, images: Tensor, draws: Draws) -> Tensor:
        unchanged = torch.zeros_like(images, dtype=torch.bool)
        if self.keep_zero_prob > 0:
            unchanged |= per_image(draws.uniform("corruption.keep_zero") < self.keep_zero_prob, images) & (images == 0)
        if self.untouched_prob > 0:
            unchanged |= per_image(draws.uniform("corruption.untouched") < self.untouched_prob, images)
        return unchanged


def _makes_holes(step: Step) -> bool:
    return any(map(_makes_holes, step.steps)) if isinstance(step, EachSlice) else hasattr(step, "mask")


class EachSlice:
    """Apply steps to each slice of a volume or stack separately, with the draws of that slice.

    A slice is damaged exactly as it is outside of its volume. The slice key is that of the middle slice of a stack; the
    first slice of a volume has index 0.

    Args:
        steps: corruption steps, called in this order on slices ``(B, 1, H, W)``.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = tuple(steps)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage stacks ``(B, C, H, W)`` or volumes ``(B, 1, H, W, D)``."""
        slices, own = self._slices(images, draws)
        for step in self.steps:
            slices = step(slices, own)
        return self._joined(slices, images)

    def mask(self, images: Tensor, draws: Draws) -> Tensor:
        """Mask of what is erased, shape of ``images``."""
        slices, own = self._slices(images, draws)
        return self._joined(Corruption(self.steps).erased(slices, own), images)

    @staticmethod
    def _slices(images: Tensor, draws: Draws) -> tuple[Tensor, Draws]:
        slices = as_volumes(images).movedim(-1, 1).flatten(0, 1)  # (B * D, 1, H, W)
        depth = len(slices) // len(images)
        first = depth // 2 if images.ndim == 4 else 0
        return slices, draws.of_slices(torch.arange(depth, device=images.device) - first)

    @staticmethod
    def _joined(slices: Tensor, images: Tensor) -> Tensor:
        return as_images(slices.unflatten(0, (len(images), -1)).movedim(1, -1), images.ndim - 2)


class VolumeCorruption(Corruption):
    """Damage whole volumes ``(B, 1, H, W, D)``: all slices of a subject share the damage, as they share the scan.

    The draws depend on the subject and the epoch alone; the key ``slice`` is ignored. The arguments are those of
    :class:`Corruption`.
    """

    def pair(
        self, images: Tensor, keys: Mapping[str, Tensor | int], observe: Observer | None = None
    ) -> tuple[Tensor, Tensor]:
        """Damaged volumes and their targets, see :meth:`Corruption.pair`.

        Raises:
            ValueError: the images are not volumes.
        """
        return super().pair(images, self._shared(images, keys), observe)

    def hole_mask(self, images: Tensor, keys: Mapping[str, Tensor | int]) -> Tensor | None:
        """Mask of what is erased, see :meth:`Corruption.hole_mask`."""
        return super().hole_mask(images, self._shared(images, keys))

    def acquisition(self, images: Tensor, keys: Mapping[str, Tensor | int]) -> Acquisition | None:
        """What was measured of k-space, see :meth:`Corruption.acquisition`."""
        return super().acquisition(images, self._shared(images, keys))

    @staticmethod
    def _shared(images: Tensor, keys: Mapping[str, Tensor | int]) -> dict[str, Tensor | int]:
        if images.ndim != 5:
            raise ValueError(f"volumes have the shape (B, 1, H, W, D), got {tuple(images.shape)}.")
        return {**keys, "slice": 0}
