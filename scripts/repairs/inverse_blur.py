# SPDX-License-Identifier: Apache-2.0
"""Gaussian blur of slices undone: its width read off the spectrum, inverted as far as the noise allows."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

__all__ = ["blur_width", "remove_blur"]

FIRST, STEP = 0.05, 0.025
"""Lowest frequency, in cycles per pixel, of the known spectrum, and the distance of the others."""
SHARP = (
    3.46, 2.70, 2.07, 1.54, 1.07, 0.68, 0.36, 0.10, -0.11, -0.31, -0.49, -0.66, -0.84, -0.99, -1.14, -1.27, -1.37,
    -1.45, -1.53, -1.62, -1.68, -1.74, -1.80, -1.86, -1.90, -1.92, -1.94,
)  # fmt: skip
"""Logarithm of the power of sagittal slices of 60 sharp IXI heads at 2 mm, whose standard deviation is .04 to .15."""
LOW, HIGH = 0.08, 0.45
"""Frequencies at which blur is looked for."""
ABOVE = 20.0
"""How far the power must lie above the noise there."""
LEAST_VARIANCE = 0.6
"""Square of the width of a blur. Sharp IXI heads are fitted by -.03 to .02, interpolated ones by .1 to .25, the MNI
template at 2 mm by .28 to .45: that is how they are, and no damage."""
MISFIT = 0.12
"""Root mean square distance from the fit up to which it is a Gaussian blur: what was cut off is none."""


def blur_width(volume: Tensor) -> tuple[float, float, float]:
    """Width of the blur of a volume's slices.

    The spectrum of a Gaussian blur is a Gaussian: the logarithm of the power against that of sharp heads is a straight
    line over the square of the frequency.

    Args:
        volume: ``(H, W, D)``, slices along the last axis, pixels of about 2 mm.

    Returns:
        Standard deviation in pixels, 0 if there is no such blur; power of the noise, and logarithm of the brightness,
        both against the known spectrum.
    """
    spectrum = torch.fft.rfft2(volume.double(), dim=(0, 1))
    frequency = _frequencies(volume)
    knots = np.arange(len(SHARP)) * STEP + FIRST
    level = ((frequency - FIRST) / STEP).round().long()
    power = spectrum.abs().square().sum(dim=2) / volume.numel()
    inside = (level >= 0) & (level < len(SHARP))
    total = torch.zeros(len(SHARP), dtype=torch.float64).index_add(0, level[inside], power[inside])
    count = torch.zeros_like(total).index_add(0, level[inside], torch.ones_like(power[inside]))
    mean = (total / count.clamp(min=1)).numpy()
    if count.min() == 0 or not (mean > 0).all():
        return 0.0, 0.0, 0.0
    noise = float(mean[knots > 0.55].min())
    bright, variance, misfit = _fitted(knots, mean, noise)
    if variance < LEAST_VARIANCE or misfit > MISFIT:
        return 0.0, 0.0, 0.0
    return math.sqrt(variance), noise, bright


def remove_blur(volume: Tensor) -> tuple[Tensor, float]:
    """Invert the blur of a volume's slices with Wiener's filter.

    Args:
        volume: see :func:`blur_width`.

    Returns:
        The volume, and the standard deviation of the blur in pixels: 0 where nothing was changed.

    References:
        Wiener, Extrapolation, interpolation, and smoothing of stationary time series, 1949.
    """
    width, noise, bright = blur_width(volume)
    if width == 0:
        return volume, 0.0
    frequency = _frequencies(volume)
    knots = np.arange(len(SHARP)) * STEP + FIRST
    sharp = torch.from_numpy(np.exp(np.interp(frequency.numpy(), knots, SHARP) + bright))
    transfer = torch.exp(-2 * (math.pi * width * frequency) ** 2)
    gain = sharp * transfer / (sharp * transfer**2 + max(noise, 1e-12))
    spectrum = torch.fft.rfft2(volume.double(), dim=(0, 1))
    inverted = torch.fft.irfft2(spectrum * gain[..., None], s=volume.shape[:2], dim=(0, 1))
    return inverted.to(volume.dtype), width


def _frequencies(volume: Tensor) -> Tensor:
    """Cycles per pixel of the spectrum of a slice."""
    rows, columns = torch.fft.fftfreq(volume.shape[0]), torch.fft.rfftfreq(volume.shape[1])
    return torch.hypot(rows[:, None], columns[None]).double()


def _fitted(knots: np.ndarray, power: np.ndarray, noise: float) -> tuple[float, float, float]:
    """Logarithm of the brightness, variance of the blur, and misfit."""
    used = (knots > LOW) & (knots < HIGH) & (power > ABOVE * noise)
    if used.sum() < 4:
        return 0.0, 0.0, math.inf
    square = -4 * (math.pi * knots[used]) ** 2
    design = np.stack([np.ones_like(square), square], axis=1)
    distance = np.log(power[used]) - np.asarray(SHARP)[used]
    (bright, variance), *_ = np.linalg.lstsq(design, distance, rcond=None)
    misfit = np.sqrt(np.mean((design @ [bright, variance] - distance) ** 2))
    return float(bright), float(variance), float(misfit)
