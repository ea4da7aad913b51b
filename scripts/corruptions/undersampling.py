# SPDX-License-Identifier: Apache-2.0
"""Cartesian undersampling: lines of k-space that were not measured, to save time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from monai.networks.blocks.fft_utils_t import fftn_centered_t
from torch import Tensor

from .draws import Draws
from .kspace import line_weights, weigh_kspace
from .parameters import as_images, damage_chosen, probability, value_range

__all__ = ["Acquisition", "RandUndersampling", "acquired", "equispaced_lines", "random_lines", "undersampling"]


class Acquisition(NamedTuple):
    """What was measured of an undersampled k-space.

    Attributes:
        kspace: centred, as MONAI's ``fftn_centered_t`` gives it: real and imaginary part along the last axis, shape
            ``(B, slices, H, W, 2)``; zero where nothing was measured.
        measured: where it was, centred, boolean of shape ``(B, 1, H, W)``.
    """

    kspace: Tensor
    measured: Tensor


def acquired(images: Tensor, lines: Tensor) -> Acquisition:
    """Measure some lines of the k-space of each slice.

    Args:
        images: shape ``(B, C, H, W)``, C slices each, or ``(B, 1, H, W, D)``.
        lines: where it is measured, in the order of the FFT, boolean of shape ``(B, H, W)``.
    """
    slices = as_images(images, 2) if images.ndim == 5 else images
    measured = torch.fft.fftshift(lines, dim=(1, 2))[:, None]
    return Acquisition(fftn_centered_t(slices, 2, is_complex=False) * measured[..., None], measured)


def _central(size: int, centre: Tensor) -> Tensor:
    """The central share of the lines, at least the middle one, in ascending order of frequency, ``(B, size)``."""
    count = (centre * size).round().clamp(min=1)[:, None]
    distance = torch.arange(size, device=centre.device) - size // 2
    return (distance >= -(count // 2)) & (distance < count - count // 2)


def random_lines(uniform: Tensor, acceleration: Tensor, centre: Tensor) -> Tensor:
    """Choose lines at random: the central share, and others up to one in ``acceleration``.

    Args:
        uniform: a number for each line, shape ``(B, N)``: the lines of the smallest ones are measured.
        acceleration: all lines divided by the measured ones, >= 1, shape ``(B,)``.
        centre: central share of all lines, always measured, shape ``(B,)``; the middle line always is.

    Returns:
        True where a line is measured, in the order of the FFT, shape ``(B, N)``.
    """
    size = uniform.shape[1]
    order = uniform.masked_fill(_central(size, centre), -1.0).argsort(dim=1, stable=True).argsort(dim=1)
    lines = (order < (size / acceleration).round()[:, None]) | _central(size, centre)
    return torch.fft.ifftshift(lines, dim=1)


def equispaced_lines(size: int, acceleration: Tensor, centre: Tensor, offset: Tensor) -> Tensor:
    """Choose lines at equal distances besides the central share, in all one in ``acceleration``.

    The lines outside of the centre lie further apart than ``acceleration``, so that the centre is not measured on top.

    Args:
        size: number of lines N.
        acceleration: see :func:`random_lines`; it need not be a whole number.
        centre: central share of all lines, shape ``(B,)``; may be 0.
        offset: of the first line, as a share of the distance, in [0, 1), shape ``(B,)``.

    Returns:
        True where a line is measured, in the order of the FFT, shape ``(B, N)``.
    """
    centre_count = torch.where(centre > 0, (centre * size).round().clamp(min=1), 0.0).double()
    others = (size / acceleration.double() - centre_count).clamp(min=1e-6)
    step = ((size - centre_count) / others)[:, None]
    passed = (torch.arange(size + 1, device=centre.device) - offset[:, None] * step) / step
    lines = passed.ceil().diff(dim=1) > 0  # floor(m step + offset) is a line for each whole m
    inside = _central(size, centre) & (centre > 0)[:, None]
    return torch.fft.ifftshift(lines | inside, dim=1)


def undersampling(images: Tensor, rows: Tensor, columns: Tensor, axis: Tensor) -> Tensor:
    """Zero the lines of k-space that were not measured.

    The magnitude of the zero-filled image, the same lines in all slices of a stack or volume: random lines give noise
    along the phase-encoding axis, equispaced ones folded copies of the head.

    Real data have several coils and a phase, from which more can be recovered; k-space made from a magnitude image
    flatters any method that knows this.

    Args:
        images: shape ``(B, C, H, W)`` or ``(B, C, H, W, D)``.
        rows: measured lines where ``axis`` is 0, in the order of the FFT, boolean of shape ``(B, H)``.
        columns: measured lines where ``axis`` is 1, shape ``(B, W)``.
        axis: phase-encoding axis, 0 for rows, 1 for columns, shape ``(B,)``.

    Returns:
        The damaged images, >= 0, shape of ``images``.
    """
    return weigh_kspace(images, line_weights(rows, columns, axis).to(images.dtype))


class RandUndersampling:
    """Undersampling with acceleration, lines and axis drawn for each image.

    Args:
        acceleration: range of all lines divided by the measured ones, >= 1.
        centre: range of the central share of all lines that is always measured.
        pattern: "random" lines, see :func:`random_lines`, or "equispaced" ones, see :func:`equispaced_lines`.
        prob: probability that an image is damaged.

    Raises:
        ValueError: a parameter is out of range, or the pattern is unknown.
    """

    def __init__(
        self,
        acceleration: Sequence[float] = (2.0, 4.0),
        centre: Sequence[float] = (0.08, 0.1),
        pattern: Literal["random", "equispaced"] = "random",
        prob: float = 1.0,
    ) -> None:
        if pattern not in ("random", "equispaced"):
            raise ValueError(f'pattern must be "random" or "equispaced", got {pattern!r}.')
        self.acceleration = value_range("acceleration", acceleration, 1.0, float("inf"))
        self.centre = value_range("centre", centre, 0.0, 1.0)
        self.pattern = pattern
        self.prob = probability(prob)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        chosen, lines = self._lines(images, draws)
        return damage_chosen(images, chosen, undersampling, *lines)

    def lines(self, images: Tensor, draws: Draws) -> Tensor:
        """Where k-space is measured, in the order of the FFT, boolean of shape ``(B, H, W)``."""
        chosen, lines = self._lines(images, draws)
        return line_weights(*lines) | ~chosen[:, None, None]

    def _lines(self, images: Tensor, draws: Draws) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """The images that are damaged, and measured rows, columns and axis of all."""
        acceleration = draws.uniform("undersampling.acceleration", *self.acceleration)
        centre = draws.uniform("undersampling.centre", *self.centre)
        offset = draws.uniform("undersampling.offset")
        rows, columns = (
            random_lines(draws.uniform_field(f"undersampling.lines{axis}", (size,)), acceleration, centre)
            if self.pattern == "random"
            else equispaced_lines(size, acceleration, centre, offset)
            for axis, size in enumerate(images.shape[2:4])
        )
        axis = draws.integers("undersampling.axis", 0, 2)
        return draws.uniform("undersampling.prob") < self.prob, (rows, columns, axis)
