# SPDX-License-Identifier: Apache-2.0
"""Whether a volume is fine, damaged, or nothing that a restorer should touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..anatomy.damage_kinds import KINDS, rms_of_level

__all__ = ["DAMAGED", "FINE", "OUTSIDE", "Gate", "Verdict"]

FINE, DAMAGED, OUTSIDE = "fine", "damaged", "outside"
WORDS = {
    "bias": "uneven brightness",
    "motion": "motion",
    "thick": "thick slices",
    "noise": "noise",
    "lines": "undersampling",
    "ringing": "Gibbs ringing",
    "dropout": "dropped voxels",
    "holes": "holes",
    "blur": "blur",
}
BEYOND = ("motion",)
"""Kinds that the network makes worse rather than better, on average of twelve test heads."""
UNDONE = ("noise",)
"""Kinds whose level is that before the repair, and of which the repair leaves nothing for the network."""
STEPS = (0.0, 0.3, 0.45, 0.6, 0.75)
"""Levels from which a severity of 1, 2, ... 5 is stated."""


@dataclass(frozen=True)
class Verdict:
    """What was found out about a volume."""

    name: str
    """``fine``, ``damaged`` or ``outside``."""
    levels: dict[str, float]
    """Of each kind of damage, from 0 to 1, after the repairs by formula; of noise, before."""
    repaired: tuple[str, ...]
    """What was repaired by formula."""
    outside: float
    """Probability that it lies outside of the training."""
    least: float
    """Level from which a kind counts."""

    @property
    def restores(self) -> bool:
        """Whether the network is called for: repairs may be enough, and motion alone it does not better."""
        done = (*BEYOND, *(kind for kind in UNDONE if kind in self.repaired))
        levels = [level for kind, level in self.levels.items() if kind not in done]
        return self.name == DAMAGED and max(levels) >= self.least

    @property
    def reason(self) -> str:
        """One line for the user."""
        if self.name == OUTSIDE:
            return (
                f"outside of the training (probability {self.outside:.2f}): not T1-weighted, no head, or of very low "
                "quality. It comes back as it was; --gate false restores it all the same."
            )
        found = sorted(((level, kind) for kind, level in self.levels.items() if level >= self.least), reverse=True)
        undone = {kind for _, kind in found if kind in UNDONE and kind in self.repaired}
        words = [
            f"{WORDS[kind]} (severity {severity(level)} of 5, some {100 * rms_of_level(level):.1f} % of the bright end"
            f"{', undone' if kind in undone else ''})"
            for level, kind in found
        ]
        repaired = [f"{word} (undone)" for word in self.repaired if word not in undone]
        return f"{self.name}: " + (", ".join(repaired + words) or "no damage was found")


class Gate:
    """Decide by the levels of damage and the probability of lying outside of the training.

    Args:
        least: level from which a kind counts as damage; below, for all kinds, a volume is fine, and nothing but a
            repair by formula changes it.
        outside: probability from which a volume is outside, and comes back as it was. Of 175 strangers made of test
            heads the least has .999; heads that are stripped and damaged at once reach .54.

    Raises:
        ValueError: a threshold is not between 0 and 1.
    """

    def __init__(self, least: float = 0.2, outside: float = 0.8) -> None:
        for name, value in (("least", least), ("outside", outside)):
            if not 0 < value < 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {value}.")
        self.least, self.outside = least, outside

    def __call__(self, levels: Sequence[float], outside: float, repaired: Sequence[str] = ()) -> Verdict:
        """Decide.

        Args:
            levels: of each of :data:`~scripts.anatomy.damage_kinds.KINDS`, from 0 to 1.
            outside: probability that the volume lies outside of the training.
            repaired: what was repaired by formula.
        """
        known = {kind: round(float(level), 3) for kind, level in zip(KINDS, levels, strict=True)}
        if outside >= self.outside:
            name = OUTSIDE
        else:
            name = DAMAGED if repaired or max(map(float, levels)) >= self.least else FINE
        return Verdict(name, known, tuple(repaired), round(float(outside), 3), self.least)


def severity(level: float) -> int:
    """Severity from 1 to 5 of a level."""
    return sum(level >= step for step in STEPS)
