# SPDX-License-Identifier: Apache-2.0
"""The kinds of synthetic lesions of an evaluation: what each does to the box of a head in which it lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LESION_KINDS", "Kind", "Site", "cubic"]

Volume = NDArray[np.float64]
WAVES = 24
"""Plane waves that a texture is the sum of."""


@dataclass(frozen=True)
class Site:
    """The box of a head that gets a lesion.

    Attributes:
        image: intensities in the box.
        offsets: millimetres from the centre along each axis, shape ``(3, h, w, d)``.
        distance: from the centre, 1 on the surface of the lesion.
        weight: soft weight in [0, 1].
        radius: mean semi-axis in millimetres.
        contrast: of the lesion.
        donor: foreign tissue.
        spacing_mm: voxel size.
        lateral_axis: axis from one side of the head to the other.
        rng: random numbers.
    """

    image: Volume
    offsets: Volume
    distance: Volume
    weight: Volume
    radius: float
    contrast: float
    donor: Volume
    spacing_mm: Volume
    lateral_axis: int
    rng: np.random.Generator

    @property
    def mean(self) -> float:
        """Mean intensity of the tissue that the lesion replaces."""
        return float((self.image * self.weight).sum() / self.weight.sum())

    def mixed(self, content: Volume | float) -> Volume:
        """The box with ``content`` in the lesion."""
        return self.image + self.weight * (content - self.image)

    def waves(self) -> Volume:
        """Texture of mean 0 and standard deviation 1: plane waves, 5 to 12 mm long."""
        directions = self.rng.standard_normal((WAVES, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        numbers = 2 * np.pi / self.rng.uniform(5, 12, (WAVES, 1)) * directions
        phases = self.rng.uniform(0, 2 * np.pi, WAVES)
        waves = np.cos(np.tensordot(numbers, self.offsets, 1) + phases[:, None, None, None])
        return waves.sum(axis=0) * np.sqrt(2 / WAVES)

    def moved(self, shift_mm: Volume) -> Volume:
        """The box with the source of each voxel ``shift_mm`` away, shape ``(3, h, w, d)``."""
        indices = np.indices(self.image.shape)
        return cubic(self.image, indices + shift_mm / self.spacing_mm[:, None, None, None])


def soft_ellipsoid(site: Site) -> Volume:
    """Bright or dark, with a texture of its own."""
    return site.image + site.contrast * site.weight * (1 + 0.3 * site.waves())


def half_replaced(site: Site) -> Volume:
    """Bright or dark, the pattern of the tissue half lost."""
    return site.mixed((site.image + site.mean) / 2 + site.contrast)


def wrong_texture(site: Site) -> Volume:
    """Waves of the same mean instead of the tissue; the contrast is their standard deviation."""
    return site.mixed(site.mean + site.contrast * site.waves())


def mass_effect(site: Site) -> Volume:
    """An isointense mass that takes its room from the tissue around it, which is moved but not compressed.

    The contrast is the radius of the mass as a share of that of the lesion.
    """
    fading = np.clip(2 - site.distance, 0, 1)
    source = np.cbrt(np.clip(site.distance**3 - site.contrast**3 * fading, 0, None))
    tissue = site.moved(site.offsets * (source / np.clip(site.distance, 1e-6, None) - 1))
    core = np.clip((site.contrast - site.distance) / 0.2 + 0.5, 0, 1)
    return tissue + core * (site.mean + 0.03 * site.waves() - tissue)


def atrophy(site: Site) -> Volume:
    """Fluid grows into the tissue beside it; the contrast is the share of what one voxel of growth would change."""
    eroded = site.image
    for axis in range(3):
        padded = np.pad(site.image, [(int(a == axis), int(a == axis)) for a in range(3)], mode="edge")
        sides = [np.take(padded, range(first, first + site.image.shape[axis]), axis=axis) for first in (0, 2)]
        eroded = np.minimum(eroded, np.minimum(*sides))
    return site.image + site.contrast * site.weight * (eroded - site.image)


def foreign(site: Site) -> Volume:
    """Tissue of another head or place, of the mean of its new place; the contrast is its share."""
    donor_mean = (site.donor * site.weight).sum() / site.weight.sum()
    return site.image + site.contrast * site.weight * (site.donor - donor_mean + site.mean - site.image)


def asymmetry(site: Site) -> Volume:
    """Tissue of one side moved sideways, by the contrast as a share of the radius, and a little brighter or darker."""
    shift = np.zeros_like(site.offsets)
    shift[site.lateral_axis] = abs(site.contrast) * site.radius * site.weight
    return site.moved(shift) * (1 + 0.3 * site.contrast * site.weight)


def cubic(image: Volume, source: Volume) -> Volume:
    """Values between voxels by cubic convolution (Catmull-Rom), the border repeated outwards.

    Args:
        image: shape ``(h, w, d)``.
        source: voxel coordinates of each value, shape ``(3, ...)``.
    """
    last = np.array(image.shape)[:, None, None, None] - 1
    source = np.clip(source, 0, last)
    first = np.floor(source).astype(int)
    t = source - first
    weights = [
        ((-0.5 * t + 1) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1,
        ((-1.5 * t + 2) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    ]
    value = np.zeros(source.shape[1:])
    taps = [np.clip(first + step, 0, last) for step in (-1, 0, 1, 2)]
    for i, j, k in np.ndindex(4, 4, 4):
        weight = weights[i][0] * weights[j][1] * weights[k][2]
        value += weight * image[taps[i][0], taps[j][1], taps[k][2]]
    return value


@dataclass(frozen=True)
class Kind:
    """One kind of synthetic lesion.

    Attributes:
        fill: from the site to the intensities of its box.
        diameter_mm: range of the diameter.
        contrast: range of the contrast's absolute value.
        signs: of the contrast.
    """

    fill: Callable[[Site], Volume]
    diameter_mm: tuple[float, float]
    contrast: tuple[float, float]
    signs: tuple[int, ...] = (1,)


LESION_KINDS = {
    "soft_ellipsoid": Kind(soft_ellipsoid, (12, 28), (0.3, 0.55), (-1, 1)),
    "bright": Kind(half_replaced, (3, 20), (0.1, 0.5)),
    "dark": Kind(half_replaced, (3, 20), (0.1, 0.5), (-1,)),
    "wrong_texture": Kind(wrong_texture, (6, 20), (0.05, 0.15)),
    "mass_effect": Kind(mass_effect, (6, 20), (0.4, 0.8)),
    "atrophy": Kind(atrophy, (6, 20), (0.5, 1.0)),
    "foreign": Kind(foreign, (6, 20), (0.5, 1.0)),
    "asymmetry": Kind(asymmetry, (8, 20), (0.2, 0.6), (-1, 1)),
}
"""Intensities on the scale of the image, 1 = the volume's 99.5th percentile; the diameters of ``soft_ellipsoid`` are
those along its axes, the others of the ball of the same volume."""
