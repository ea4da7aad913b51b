# SPDX-License-Identifier: Apache-2.0
"""What is done to the test slices: kinds of damage, each with its severities."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..corruptions import (
    Corruption,
    RandBiasField,
    RandGaussianBlur,
    RandGaussianNoise,
    RandHoles,
    RandPixelDropout,
    RandRicianNoise,
)
from ..files.errors import suggestion

__all__ = ["KINDS", "SEVERITIES", "Condition", "make_conditions"]

SEVERITIES: dict[str, tuple[float, ...]] = {
    "mixed": (0.05, 0.1, 0.2, 0.3, 0.4),  # share of slices with a hole; the rest as below at the same severity
    "gaussian_noise": (0.01, 0.02, 0.04, 0.06, 0.08),  # standard deviation, 1 = the volume's 99.5th percentile
    "rician_noise": (0.01, 0.02, 0.04, 0.06, 0.08),  # the same
    "pixel_dropout": (0.01, 0.02, 0.04, 0.08, 0.16),  # share of pixels lost
    "holes": (10, 17, 24, 31, 38),  # side of the square in pixels
    "blur": (0.4, 0.5, 0.6, 0.8, 1.0),  # sigma in pixels, window of three pixels
    "bias_field": (0.2, 0.4, 0.6, 0.8, 1.0),  # largest logarithm of the gain; in the head about a third of it
}
"""Parameter of each kind at severity 1 to 5. All kinds but ``mixed`` damage EVERY slice alike. The default training
draws noise and dropout up to severity 3, holes of all five sizes and blur of severity 3; ``mixed`` 3 is its damage,
without the untouched share. The rest, Rician noise and bias fields lie outside of what it shows a network."""

KINDS = (*SEVERITIES, "clean")
"""All kinds; ``clean`` is the control."""

STEPS: dict[str, Callable[[float], Any]] = {
    "gaussian_noise": lambda std: RandGaussianNoise(std=[std, std]),
    "rician_noise": lambda std: RandRicianNoise(std=[std, std]),
    "pixel_dropout": lambda rate: RandPixelDropout(rate=[rate, rate]),
    "holes": lambda side: RandHoles(size=[int(side), int(side)], prob=1.0),
    "blur": lambda sigma: RandGaussianBlur(sigma=sigma, prob=1.0),
    "bias_field": lambda strength: RandBiasField(strength=[strength, strength]),
}
WORDS = {
    "gaussian_noise": "standard deviation {:g} of the 99.5th percentile",
    "rician_noise": "standard deviation {:g} of the 99.5th percentile, in both parts of the complex image",
    "pixel_dropout": "a share of {:g} of the pixels lost",
    "holes": "a hole of {0:g} x {0:g} pixels in every slice",
    "blur": "sigma {:g} pixels",
    "bias_field": "a smooth gain whose logarithm reaches {0:g} or -{0:g} at a corner of the slice",
}


@dataclass(frozen=True)
class Condition:
    """One damage.

    Attributes:
        kind: one of :data:`KINDS`.
        severity: 1 to 5; 0 for ``clean``.
        description: the parameters in words.
        corruption: called as ``corruption(images, keys)``, see :class:`~scripts.corruptions.corruption.Corruption`.
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
    kinds: Iterable[str] = KINDS, severities: Iterable[int] = (1, 3, 5), seed: int = 0
) -> list[Condition]:
    """Set up the damage of an evaluation; it depends on (seed, subject, slice) alone and is the same for every method.

    Args:
        kinds: from :data:`KINDS`.
        severities: from 1 (slight) to 5, for the kinds that have them.
        seed: of the random draws.

    Returns:
        The conditions, kind by kind.

    Raises:
        ValueError: an unknown kind (the nearest known one is named) or severity.
    """
    conditions = []
    for kind in _listed(kinds):
        if kind not in KINDS:
            raise ValueError(f"kind of damage {kind!r} is unknown: {suggestion(str(kind), KINDS)}")
        for severity in [0] if kind == "clean" else _listed(severities):
            if kind != "clean" and severity not in range(1, 6):
                raise ValueError(f"severity must be a whole number from 1 to 5, got {severity!r}.")
            steps, description = _damage(kind, severity)
            conditions.append(Condition(kind, severity, description, Corruption(steps, seed)))
    if not conditions:
        raise ValueError("there is no damage to evaluate: give at least one kind and, for most kinds, a severity.")
    return conditions


def _damage(kind: str, severity: int) -> tuple[list[Any], str]:
    """The steps of a damage, and the same in words."""
    if kind == "clean":
        return [], "no damage: what a method does to a good image"
    if kind != "mixed":
        value = SEVERITIES[kind][severity - 1]
        return [STEPS[kind](value)], WORDS[kind].format(value)
    share, rate, std, sigma = (
        SEVERITIES[name][severity - 1] for name in ("mixed", "pixel_dropout", "gaussian_noise", "blur")
    )
    steps = [
        RandPixelDropout(rate=[0.0, rate]),
        RandGaussianNoise(std=[0.0, std]),
        RandHoles(size=[10, 38], prob=share),
        RandGaussianBlur(sigma=sigma, prob=0.1),
    ]
    return steps, (
        f"pixel dropout up to {100 * rate:g} % and Gaussian noise up to {std:g} in every slice, a hole of 10 to 38 "
        f"pixels anywhere in {100 * share:g} % of the slices, blur (sigma {sigma:g}) in 10 %"
    )


def _listed(values: Any) -> list[Any]:
    """A single value given where a list is expected counts as a list of one."""
    return [values] if isinstance(values, str | int) else list(values)
