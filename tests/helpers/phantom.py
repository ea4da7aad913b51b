# SPDX-License-Identifier: Apache-2.0
"""A head of shells, for tests of intensities: quick, and with the histogram of a T1-weighted head."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

UNIT = 650.0
"""Its bright end."""

SHAPE = (72, 76, 60)
SHELLS = ((0.5, 0.85), (0.66, 0.62), (0.7, 0.16), (0.78, 0.03), (0.84, 0.9), (1.0, 0.55))
"""Outer radius and signal of white matter, gray matter, fluid, bone, fat and muscle."""


@cache
def shells(seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """The head without noise, where it is, and where its brain is. The air is 0."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.linspace(-1.25, 1.25, size) for size in SHAPE], indexing="ij")
    rough = ndimage.gaussian_filter(rng.normal(size=SHAPE), 2)
    radius = np.sqrt(sum(axis**2 for axis in axes)) + 0.02 * rough / rough.std()
    signal = np.zeros(SHAPE)
    for outer, value in reversed(SHELLS):
        signal[radius < outer] = value
    signal = ndimage.gaussian_filter(signal, 0.6) * np.exp(0.05 * ndimage.gaussian_filter(rough / rough.std(), 4))
    signal[radius > 1.05] = 0
    return (UNIT * signal).astype(np.float32), radius < 1.0, radius < 0.7


def head(noise: str = "magnitude", std: float = 0.01, seed: int = 0) -> NDArray[np.float32]:
    """A head from a scanner.

    Args:
        noise: "magnitude" (Rician), "gaussian", "bytes" (Rician, 8 bits of 6.25 each), "none".
        std: standard deviation of the noise, 1 = :data:`UNIT`.
        seed: of head and noise.
    """
    signal, rng = shells(seed)[0], np.random.default_rng(seed)
    first, second = (rng.normal(0, std * UNIT, SHAPE).astype(np.float32) for _ in range(2))
    if noise == "none":
        return signal.copy()
    if noise == "gaussian":
        return signal + first
    magnitude = np.hypot(signal + first, second)
    return np.float32(6.25) * np.floor(magnitude / np.float32(6.25)) if noise == "bytes" else magnitude


def brain(seed: int = 0) -> NDArray[np.bool_]:
    """Where its brain is."""
    return shells(seed)[2]


def inside(seed: int = 0) -> NDArray[np.bool_]:
    """Where the head is."""
    return shells(seed)[1]
