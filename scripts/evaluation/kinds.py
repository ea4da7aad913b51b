# SPDX-License-Identifier: Apache-2.0
"""The kinds of damage that an evaluation knows, each with its parameter at five severities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..corruptions import (
    RandBiasField,
    RandDeface,
    RandFieldOfView,
    RandGaussianBlur,
    RandGaussianNoise,
    RandGhosting,
    RandGibbsRinging,
    RandHoles,
    RandKSpaceBlur,
    RandLesionHoles,
    RandMotion,
    RandPixelDropout,
    RandRicianNoise,
    RandSkullStrip,
    RandSpikes,
    RandThickSlices,
    RandUndersampling,
)

__all__ = ["BACKGROUNDS", "KINDS", "MIXED", "SCAN_DAMAGE", "SEVERITIES", "SLICE_DAMAGE", "Damage"]


@dataclass(frozen=True)
class Damage:
    """One kind of damage.

    Attributes:
        severities: parameter at severity 1 to 5.
        step: from that parameter to the step that damages every image.
        words: the parameter in words.
    """

    severities: tuple[float, ...]
    step: Callable[[float], Any]
    words: str


MIXED = (0.05, 0.1, 0.2, 0.3, 0.4)
"""Share of slices with a hole of ``mixed``; dropout, noise and blur are those of the same severity."""

SLICE_DAMAGE: dict[str, Damage] = {
    "gaussian_noise": Damage(
        (0.01, 0.02, 0.04, 0.06, 0.08),
        lambda std: RandGaussianNoise(std=[std, std]),
        "standard deviation {:g} of the 99.5th percentile",
    ),
    "rician_noise": Damage(
        (0.01, 0.02, 0.04, 0.06, 0.08),
        lambda std: RandRicianNoise(std=[std, std]),
        "standard deviation {:g} of the 99.5th percentile, in both parts of the complex image",
    ),
    "pixel_dropout": Damage(
        (0.01, 0.02, 0.04, 0.08, 0.16),
        lambda rate: RandPixelDropout(rate=[rate, rate]),
        "a share of {:g} of the pixels lost",
    ),
    "holes": Damage(
        (10, 17, 24, 31, 38),
        lambda side: RandHoles(size=[int(side), int(side)], prob=1.0),
        "a hole of {0:g} x {0:g} pixels in every slice",
    ),
    "blur": Damage(  # window of three pixels
        (0.4, 0.5, 0.6, 0.8, 1.0), lambda sigma: RandGaussianBlur(sigma=sigma, prob=1.0), "sigma {:g} pixels"
    ),
    "bias_field": Damage(  # in the head about a third of it
        (0.2, 0.4, 0.6, 0.8, 1.0),
        lambda strength: RandBiasField(strength=[strength, strength]),
        "a smooth gain whose logarithm reaches {0:g} or -{0:g} at a corner of the slice",
    ),
    "some_holes": Damage(
        (0.1, 0.2, 0.3, 0.4, 0.5),
        lambda share: RandHoles(size=[10, 20], prob=share),
        "a hole of 10 to 20 pixels in a share of {:g} of the slices",
    ),
    "gaussian_blur": Damage(
        (0.4, 0.7, 1.0, 1.3, 1.6),
        lambda sigma: RandKSpaceBlur(sigma=[sigma, sigma]),
        "sigma {:g} pixels, a Gaussian of any width",
    ),
}
"""Kinds that damage each slice by itself. The default training draws noise and dropout up to severity 3, holes of all
five sizes and blur of severity 3; ``mixed`` 3 is its damage, without the untouched share. All other kinds lie outside
of what it shows a network."""

SCAN_DAMAGE: dict[str, Damage] = {
    "uneven_noise": Damage(
        (0.01, 0.02, 0.04, 0.06, 0.08),
        lambda std: RandRicianNoise(std=[std, std], variation=[0.7, 0.7]),
        "Rician noise of standard deviation {:g} on average, up to four times as strong in one place as in another",
    ),
    "volume_bias": Damage(
        (0.12, 0.23, 0.35, 0.46, 0.58),
        lambda strength: RandBiasField(strength=[strength, strength], degree=2, inscribed=True),
        "a gain, smooth in three dimensions, whose logarithm reaches {0:g} or -{0:g} in the head",
    ),
    "motion": Damage(
        (1, 2, 3, 4, 5),
        lambda most: RandMotion(degrees=most, millimetres=most, poses=[2, int(most) + 1]),
        "up to {0:g} degrees and {0:g} mm between segments of k-space",
    ),
    "ghosting": Damage(
        (0.8, 0.7, 0.55, 0.4, 0.25),
        lambda scale: RandGhosting(scale=[scale - 0.15, scale + 0.15]),
        "every second line of k-space scaled to {:g}, give or take 0.15",
    ),
    "spikes": Damage(
        (0.12, 0.22, 0.36, 0.5, 0.65),
        lambda share: RandSpikes(amplitude=[0.6 * share, 1.4 * share]),
        "1 to 3 points of k-space raised by {:g} of its centre, give or take 40 %",
    ),
    "gibbs": Damage(
        (0.2, 0.3, 0.4, 0.5, 0.6),
        lambda cut: RandGibbsRinging(cut=[cut, cut]),
        "the outer {:g} of k-space cut along rows and columns",
    ),
    "thick_slices": Damage(
        (1.5, 2, 3, 4, 5),
        lambda thickness: RandThickSlices(thickness=[thickness, thickness]),
        "slices {:g} times as thick, put back by linear interpolation",
    ),
    "random_lines": Damage(
        (1.5, 2, 3, 4, 5),
        lambda factor: RandUndersampling([factor, factor], [0.1, 0.1], "random"),
        "one line of k-space in {:g}, at random besides the central tenth",
    ),
    "equispaced_lines": Damage(
        (1.5, 2, 3, 4, 5),
        lambda factor: RandUndersampling([factor, factor], [0.1, 0.1], "equispaced"),
        "one line of k-space in {:g}, at equal distances besides the central tenth",
    ),
    "lesion_holes": Damage(
        (8, 14, 20, 26, 32),
        lambda diameter: RandLesionHoles(diameter_mm=[3.0, diameter]),
        "1 to 3 holes in the shape of lesions, 3 to {:g} mm wide",
    ),
}
"""Kinds that damage the volume as a whole: all slices of a subject share the scan that went wrong."""

BACKGROUNDS: dict[str, tuple[Callable[[], Any], str]] = {
    "skull_stripped": (RandSkullStrip, "no damage: the brain alone"),
    "defaced": (RandDeface, "no damage: a head without its face"),
    "cropped": (
        lambda: RandFieldOfView([0.0, 0.2]),
        "no damage: a field of view that cuts up to a fifth off each side",
    ),
    "padded": (lambda: RandFieldOfView([0.02, 0.06]), "no damage: exact zeros at the sides"),
}
"""Kinds that are no damage: the target has lost the same part of the head. They have no severity."""

SEVERITIES: dict[str, tuple[float, ...]] = {
    "mixed": MIXED,
    **{name: damage.severities for name, damage in (SLICE_DAMAGE | SCAN_DAMAGE).items()},
}
"""Parameter of each kind at severity 1 to 5."""

KINDS = (*SEVERITIES, *BACKGROUNDS, "clean")
"""All kinds; ``clean`` is the control."""
