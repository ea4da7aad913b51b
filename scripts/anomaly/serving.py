# SPDX-License-Identifier: Apache-2.0
"""Anomaly maps in MONAI's parts, inferer and postprocessing, for a server that gives one image for another."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.inferers import Inferer
from monai.transforms import MapTransform
from torch import Tensor

from .mapper import AnomalyMapper

__all__ = ["ANSWERS", "AnomalyInferer", "ChooseAnswerd"]

ANSWERS = {"clusters": torch.int16, "brain_mask": torch.uint8, "anomaly": torch.float32}
"""What the inferer gives, channel by channel, and the type of each as a file."""
WARNINGS = "warnings"

logger = logging.getLogger(__name__)


class AnomalyInferer(Inferer):
    """Gives clusters, brain mask and map of a head.

    Args:
        mapper: maps a head; its detector has the network.

    """

    def __init__(self, mapper: AnomalyMapper) -> None:
        super().__init__()
        self.mapper = mapper

    def __call__(self, inputs: Tensor, network: Any = None) -> Tensor:
        """Map a volume.

        Args:
            inputs: ``(1, 1, X, Y, Z)`` with its affine, any unit.
            network: not looked at.

        Returns:
            The channels of :data:`ANSWERS`, ``(1, 3, X, Y, Z)``, with the warnings in its ``meta``.

        Raises:
            ValueError: there are several volumes, or this one cannot be mapped.
        """
        if inputs.ndim != 5 or inputs.shape[:2] != (1, 1) or not isinstance(inputs, MetaTensor):
            raise ValueError(f"one volume with its affine at a time, got the shape {tuple(inputs.shape)}.")
        affine = inputs.affine[0] if inputs.affine.ndim == 3 else inputs.affine
        found = self.mapper(MetaTensor(inputs.as_tensor()[0].cpu(), affine=affine))
        for warning in found.warnings:
            logger.warning("%s", warning)
        channels = torch.stack([found.clusters.float(), found.brain.float(), found.values])
        return MetaTensor(channels[None], affine=affine, meta={WARNINGS: found.warnings})


class ChooseAnswerd(MapTransform):
    """Choose one of the images of :class:`AnomalyInferer`.

    Args:
        keys: what the inferer gave, ``(3, X, Y, Z)``; the chosen image ``(1, X, Y, Z)`` takes its place.
        answer: word of :data:`ANSWERS`, or several, of which the first is chosen.
        allow_missing_keys: skip a key that is absent.

    Raises:
        ValueError: the word is unknown.
    """

    def __init__(self, keys: KeysCollection, answer: str | Sequence[str], allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.answer = answer if isinstance(answer, str) else answer[0]
        if self.answer not in ANSWERS:
            raise ValueError(f"answer {self.answer!r} is unknown: choose from {', '.join(ANSWERS)}.")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Choose; the warnings go into ``result``, which MONAI Label sends along."""
        d = dict(data)
        for key in self.key_iterator(d):
            channels = d[key]
            number = list(ANSWERS).index(self.answer)
            d[key] = channels[number : number + 1].to(ANSWERS[self.answer])
            d["result"] = {WARNINGS: list(channels.meta.get(WARNINGS, []))}
        return d
