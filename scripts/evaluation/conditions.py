# SPDX-License-Identifier: Apache-2.0
"""Damage of the test slices: its kinds, each with five severities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..corruptions import (
    Corruption,
    EachSlice,
    RandGaussianBlur,
    RandGaussianNoise,
    RandHoles,
    RandPixelDropout,
    VolumeCorruption,
)
from ..files.errors import suggestion
from .kinds import BACKGROUNDS, KINDS, SCAN_DAMAGE, SEVERITIES, SLICE_DAMAGE

__all__ = ["Condition", "make_conditions"]


@dataclass(frozen=True)
class Condition:
    """A kind of damage at one severity.

    Attributes:
        kind: one of :data:`~scripts.evaluation.kinds.KINDS`, or several joined by ``+``.
        severity: 1 to 5; 0 for kinds without severities.
        description: parameters in words.
        corruption: the damage, see :class:`~scripts.corruptions.corruption.Corruption`.
    """

    kind: str
    severity: int
    description: str
    corruption: Corruption

    @property
    def name(self) -> str:
        """Kind and severity, such as ``holes 3``."""
        return f"{self.kind} {self.severity}" if self.severity else self.kind


def make_conditions(
    kinds: Iterable[str] = KINDS,
    severities: Iterable[int] = (1, 3, 5),
    seed: int = 0,
    volumes: bool = False,
    further: Iterable[Condition] = (),
) -> list[Condition]:
    """Set up the damage of an evaluation; it depends on (seed, subject, slice) alone and is the same for every method.

    Args:
        kinds: kinds of damage, from :data:`~scripts.evaluation.kinds.KINDS`; kinds joined by ``+`` happen one after
            another.
        severities: severities from 1 (slight) to 5, for the kinds that have them.
        seed: seed of the random draws.
        volumes: whether all corruptions take whole volumes ``(B, 1, H, W, D)``. Damage of single slices stays the same,
            slice by slice.
        further: conditions of one's own, which come first.

    Returns:
        The conditions, kind by kind; where ``volumes`` or the kind asks for it, the corruption is a
        :class:`~scripts.corruptions.corruption.VolumeCorruption`.

    Raises:
        ValueError: an unknown kind (the nearest known one is named) or severity.
    """
    conditions = list(further)
    for kind in _listed(kinds):
        parts = str(kind).split("+")
        for part in parts:
            if part not in KINDS:
                raise ValueError(f"kind of damage {part!r} is unknown: {suggestion(part, KINDS)}")
        damaging = any(part in SEVERITIES for part in parts)
        whole = volumes or any(part in SCAN_DAMAGE or part in BACKGROUNDS for part in parts)
        background = [BACKGROUNDS[part][0]() for part in parts if part in BACKGROUNDS]
        for severity in _listed(severities) if damaging else [0]:
            if damaging and severity not in range(1, 6):
                raise ValueError(f"severity must be a whole number from 1 to 5, got {severity!r}.")
            steps = [step for part in parts if part in SEVERITIES for step in _steps(part, severity, whole)]
            corruption = (VolumeCorruption if whole else Corruption)(steps, seed, background=background)
            words = "; ".join(_words(part, severity) for part in parts)
            conditions.append(Condition(kind, severity, words, corruption))
    if not conditions:
        raise ValueError("there is no damage to evaluate: give at least one kind and, for most kinds, a severity.")
    return conditions


def _steps(kind: str, severity: int, whole: bool) -> list[Any]:
    """Corruption steps of a kind, for slices or for whole volumes."""
    if kind in SCAN_DAMAGE:
        return [SCAN_DAMAGE[kind].step(SEVERITIES[kind][severity - 1])]
    if kind == "mixed":
        share, rate, std, sigma = _mixture(severity)
        steps: list[Any] = [
            RandPixelDropout(rate=[0.0, rate]),
            RandGaussianNoise(std=[0.0, std]),
            RandHoles(size=[10, 38], prob=share),
            RandGaussianBlur(sigma=sigma, prob=0.1),
        ]
    else:
        steps = [SLICE_DAMAGE[kind].step(SEVERITIES[kind][severity - 1])]
    return [EachSlice(steps)] if whole else steps


def _words(kind: str, severity: int) -> str:
    """Description of a kind."""
    if kind == "clean":
        return "no damage: what a method does to a good image"
    if kind in BACKGROUNDS:
        return BACKGROUNDS[kind][1]
    if kind != "mixed":
        return (SLICE_DAMAGE | SCAN_DAMAGE)[kind].words.format(SEVERITIES[kind][severity - 1])
    share, rate, std, sigma = _mixture(severity)
    return (
        f"pixel dropout up to {100 * rate:g} % and Gaussian noise up to {std:g} in every slice, a hole of 10 to 38 "
        f"pixels anywhere in {100 * share:g} % of the slices, blur (sigma {sigma:g}) in 10 %"
    )


def _mixture(severity: int) -> list[float]:
    """Share of holes, rate of dropout, standard deviation of noise and sigma of blur of ``mixed``."""
    return [SEVERITIES[name][severity - 1] for name in ("mixed", "pixel_dropout", "gaussian_noise", "blur")]


def _listed(values: Any) -> list[Any]:
    """Values as a list; a single value counts as a list of one."""
    return [values] if isinstance(values, str | int) else list(values)
