# SPDX-License-Identifier: Apache-2.0
"""What is done to the test slices: kinds of damage, each with its severities."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..corruptions import Corruption, RandGaussianBlur, RandGaussianNoise, RandHoles, RandPixelDropout

__all__ = ["KINDS", "SEVERITIES", "Condition", "make_conditions"]

SEVERITIES: dict[str, tuple[float, ...]] = {
    "gaussian_noise": (0.01, 0.02, 0.04, 0.06, 0.08),  # standard deviation, 1 = the volume's 99.5th percentile
    "pixel_dropout": (0.01, 0.02, 0.04, 0.08, 0.16),  # share of pixels lost
    "holes": (10, 17, 24, 31, 38),  # side of the square in pixels
    "blur": (0.4, 0.5, 0.6, 0.8, 1.0),  # sigma in pixels, window of three pixels
}
"""Parameter of each kind at severity 1 to 5, in EVERY slice. Training draws noise and dropout up to severity 3,
holes of all five sizes and blur of severity 3; the others lie outside of what a network was trained on."""

STEPS: dict[str, Callable[[float], Any]] = {
    "gaussian_noise": lambda std: RandGaussianNoise(std=[std, std]),
    "pixel_dropout": lambda rate: RandPixelDropout(rate=[rate, rate]),
    "holes": lambda side: RandHoles(size=[int(side), int(side)], prob=1.0),
    "blur": lambda sigma: RandGaussianBlur(sigma=sigma, prob=1.0),
}

KINDS = ("mixed", *SEVERITIES, "clean")
"""All kinds. ``mixed`` is the default training damage without its untouched share; ``clean`` is the control."""


@dataclass(frozen=True)
class Condition:
    """One damage.

    Attributes:
        kind: one of :data:`KINDS`.
        severity: 1 to 5; 0 for the kinds that have no severities.
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
            nearest = difflib.get_close_matches(str(kind), KINDS, n=1, cutoff=0.4)
            hint = f"did you mean {nearest[0]}?" if nearest else f"choose from {', '.join(KINDS)}."
            raise ValueError(f"kind of damage {kind!r} is unknown: {hint}")
        if kind == "mixed":
            conditions.append(Condition(kind, 0, MIXED_DESCRIPTION, mixed_damage(seed)))
        elif kind == "clean":
            conditions.append(Condition(kind, 0, "no damage: what a method does to a good image", Corruption([], seed)))
        else:
            conditions += [_at_severity(kind, severity, seed) for severity in _listed(severities)]
    if not conditions:
        raise ValueError("there is no damage to evaluate: give at least one kind and, for most kinds, a severity.")
    return conditions


MIXED_DESCRIPTION = (
    "pixel dropout up to 4 % and Gaussian noise up to 0.04 in every slice, a hole of 10 to 38 pixels anywhere in 20 % "
    "of the slices, slight blur (sigma 0.6) in 10 %"
)


def mixed_damage(seed: int) -> Corruption:
    """The mixed damage: all four kinds at random, nothing rescaled afterwards."""
    return Corruption(
        [
            RandPixelDropout(rate=[0.0, 0.04]),
            RandGaussianNoise(std=[0.0, 0.04]),
            RandHoles(size=[10, 38], prob=0.2),
            RandGaussianBlur(sigma=0.6, prob=0.1),
        ],
        seed,
    )


def _at_severity(kind: str, severity: int, seed: int) -> Condition:
    values = SEVERITIES[kind]
    if severity not in range(1, len(values) + 1):
        raise ValueError(f"severity must be a whole number from 1 to {len(values)}, got {severity!r}.")
    value = values[severity - 1]
    words = {
        "gaussian_noise": f"standard deviation {value:g} of the 99.5th percentile",
        "pixel_dropout": f"{100 * value:g} % of the pixels lost",
        "holes": f"a hole of {value:g} x {value:g} pixels in every slice",
        "blur": f"sigma {value:g} pixels",
    }
    return Condition(kind, severity, words[kind], Corruption([STEPS[kind](value)], seed))


def _listed(values: Any) -> list[Any]:
    """A single value given where a list is expected counts as a list of one."""
    return [values] if isinstance(values, str | int) else list(values)
