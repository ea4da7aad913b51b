# SPDX-License-Identifier: Apache-2.0
"""Damage of k-space, of which the image is the Fourier transform: ghosts, spikes, ringing.

A slice is measured in its plane, so that the transforms run over the first two spatial axes of slices, stacks and
volumes alike; a stack or a volume has the same k-space lines damaged in all of its slices. What comes back is the
magnitude, as from a scanner.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .draws import Draws
from .parameters import as_images, as_volumes, damage_chosen, per_image, probability, value_range

__all__ = [
    "RandGhosting",
    "RandGibbsRinging",
    "RandSpikes",
    "frequencies",
    "ghosting",
    "gibbs_ringing",
    "line_weights",
    "spikes",
    "weigh_kspace",
]

PLANE = (2, 3)
"""Axes of a slice's rows and columns."""


def frequencies(size: int, device: torch.device | None = None) -> Tensor:
    """Cycles per field of view of each line of k-space, in the order of the FFT: 0, 1, ..., -2, -1."""
    return torch.fft.fftfreq(size, 1 / size, device=device).round()


def line_weights(rows: Tensor, columns: Tensor, axis: Tensor) -> Tensor:
    """Weights of the lines along one axis of k-space, for each image its own axis.

    Args:
        rows: weights where ``axis`` is 0, shape ``(B, H)``.
        columns: weights where ``axis`` is 1, shape ``(B, W)``.
        axis: shape ``(B,)``.

    Returns:
        Shape ``(B, H, W)``.
    """
    return torch.where(axis.view(-1, 1, 1) == 0, rows[:, :, None], columns[:, None, :])


def weigh_kspace(images: Tensor, weights: Tensor, symmetric: bool = False) -> Tensor:
    """Multiply the k-space of each slice with real weights and take the magnitude of the image.

    Args:
        images: shape ``(B, C, H, W)`` or ``(B, C, H, W, D)``.
        weights: in the order of the FFT, shape ``(B, H, W)``.
        symmetric: the weights of opposite frequencies are equal, so that the image stays real: half the work.

    Returns:
        The damaged images, >= 0, shape of ``images``.
    """
    weights = weights.view(len(weights), 1, *weights.shape[1:], *[1] * (images.ndim - 4))
    if not symmetric:
        return torch.fft.ifft2(torch.fft.fft2(images, dim=PLANE) * weights, dim=PLANE).abs()
    size = images.shape[2:4]
    spectrum = torch.fft.rfft2(images, dim=PLANE) * weights[:, :, :, : size[1] // 2 + 1]
    return torch.fft.irfft2(spectrum, s=size, dim=PLANE).abs()


def ghosting(images: Tensor, scale: Tensor, axis: Tensor, centre: Tensor) -> Tensor:
    r"""Scale every second line of k-space: a weak copy of the head, half the field of view away.

    Lines of odd frequency are measured with another gain than the even ones, as when breathing, pulsation or an
    unstable receiver alternates with the repetition. Without a central share, an even number N of lines and a scale
    :math:`a` give the image

    .. math:: \tfrac{1 + a}{2} f(x) + \tfrac{1 - a}{2} f(x - N / 2)

    Args:
        images: shape ``(B, C, H, W)`` or ``(B, C, H, W, D)``.
        scale: of the odd lines, shape ``(B,)``; 1 changes nothing.
        axis: phase-encoding axis, along which the copy moves: 0 for rows, 1 for columns, shape ``(B,)``.
        centre: central share of the lines that keep their gain, shape ``(B,)``. Frequency 0, the mean of the image,
            always does.

    Returns:
        The damaged images, >= 0, shape of ``images``.
    """
    lines = []
    for size in images.shape[2:4]:
        frequency = frequencies(size, images.device)
        scaled = (frequency.remainder(2) == 1) & (frequency.abs() > centre[:, None] * (size / 2))
        lines.append(torch.where(scaled, scale[:, None], 1.0))
    return weigh_kspace(images, line_weights(lines[0], lines[1], axis), symmetric=True)


def spikes(images: Tensor, frequency: Tensor, amplitude: Tensor, phase: Tensor) -> Tensor:
    r"""Add single points to k-space: stripes across the whole image.

    A discharge in the scanner room adds a large number to one point of k-space and not to its conjugate partner, so
    that the image gets a complex plane wave for each:

    .. math:: \Bigl| f(x) + \bar{f} \sum_s a_s e^{2 \pi i (k_s \cdot x / N) + i \phi_s} \Bigr|

    Args:
        images: shape ``(B, C, H, W)`` or ``(B, C, H, W, D)``.
        frequency: position of each spike in cycles per field of view along rows, columns and slices, shape
            ``(B, spikes, 3)``; in single slices the last one does not count.
        amplitude: of each spike as a share of the centre of k-space (the mean of the image), shape ``(B, spikes)``.
        phase: of each spike in radians, shape ``(B, spikes)``.

    Returns:
        The damaged images, >= 0, shape of ``images``.
    """
    volumes = as_volumes(images)
    wave = torch.zeros_like(volumes, dtype=torch.complex64)
    for number in range(amplitude.shape[1]):
        angles = []
        for axis, size in enumerate(volumes.shape[2:]):
            place = frequency[:, number, axis, None] * torch.arange(size, device=images.device)
            angles.append(place.remainder(size) * (2 * math.pi / size))
        angles[0] = angles[0] + phase[:, number, None]
        rows, columns, slices = (torch.polar(torch.ones_like(angle), angle) for angle in angles)
        plane = rows[:, None, :, None, None] * columns[:, None, None, :, None]
        wave += per_image(amplitude[:, number], volumes) * plane * slices[:, None, None, None, :]
    mean = per_image(volumes.flatten(1).mean(dim=1), volumes)
    return as_images((volumes + mean * wave).abs(), images.ndim - 2)


def gibbs_ringing(images: Tensor, kept: Tensor) -> Tensor:
    """Zero the outer lines of k-space: edges ring, and detail finer than the measured grid is lost.

    What a scanner does that measures a coarse grid and interpolates it by zero-filling. Lines up to ``kept`` times the
    highest frequency stay exactly as they are; an edge overshoots by 9 % of its height.

    Args:
        images: shape ``(B, C, H, W)`` or ``(B, C, H, W, D)``.
        kept: measured share of k-space along rows and columns, shape ``(B, 2)``; 1 changes nothing.

    Returns:
        The damaged images, >= 0, shape of ``images``.
    """
    rows, columns = (
        (frequencies(size, images.device).abs() <= kept[:, axis, None] * (size / 2)).to(images.dtype)
        for axis, size in enumerate(images.shape[2:4])
    )
    return weigh_kspace(images, rows[:, :, None] * columns[:, None, :], symmetric=True)


class RandGhosting:
    """Ghosting with a scale and an axis drawn for each image.

    Args:
        scale: range of the gain of every second line, within [0, 1], see :func:`ghosting`.
        centre: central share of the lines that keep their gain.
        prob: probability that an image is damaged.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(self, scale: Sequence[float] = (0.4, 0.7), centre: float = 0.04, prob: float = 1.0) -> None:
        self.scale = value_range("scale", scale, 0.0, 1.0)
        self.centre = value_range("centre", [0, centre], 0.0, 1.0)[1]
        self.prob = probability(prob)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        scale, axis = draws.uniform("ghosting.scale", *self.scale), draws.integers("ghosting.axis", 0, 2)
        chosen, centre = draws.uniform("ghosting.prob") < self.prob, torch.full_like(scale, self.centre)
        return damage_chosen(images, chosen, ghosting, scale, axis, centre)


class RandSpikes:
    """Some spikes anywhere but near the centre of k-space.

    Args:
        amplitude: range of each spike's share of the centre of k-space, see :func:`spikes`.
        number: smallest and largest number of spikes, both included.
        nearest: smallest distance from the centre, as a share of the highest frequency.
        prob: probability that an image is damaged.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(
        self,
        amplitude: Sequence[float] = (0.3, 0.6),
        number: Sequence[int] = (1, 3),
        nearest: float = 0.1,
        prob: float = 1.0,
    ) -> None:
        self.amplitude = value_range("amplitude", amplitude, 0.0, float("inf"))
        self.number = [int(v) for v in value_range("number", number, 1, float("inf"))]
        self.nearest = value_range("nearest", [nearest, nearest], 0.0, 1.0)[0]
        self.prob = probability(prob)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        most = self.number[1]
        there = (
            torch.arange(most, device=images.device)
            < draws.integers("spikes.number", self.number[0], most + 1)[:, None]
        )
        low, high = self.amplitude
        amplitude = (low + (high - low) * draws.uniform_field("spikes.amplitude", (most,))) * there
        phase = 2 * math.pi * draws.uniform_field("spikes.phase", (most,))
        place = 2 * draws.uniform_field("spikes.place", (most, 3)) - 1
        distance = place[..., :2].abs().amax(dim=2, keepdim=True)
        place = torch.cat([place[..., :2] * (self.nearest / distance).clamp(min=1), place[..., 2:]], dim=2)
        sizes = torch.tensor([*images.shape[2:4], as_volumes(images).shape[-1]], device=images.device)
        frequency = (place * (sizes / 2)).round()
        chosen = draws.uniform("spikes.prob") < self.prob
        return damage_chosen(images, chosen, spikes, frequency, amplitude, phase)


class RandGibbsRinging:
    """Zero-filling of k-space with a share drawn for each image.

    Args:
        cut: range of the share of k-space that is not measured, the same along rows and columns.
        prob: probability that an image is damaged.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(self, cut: Sequence[float] = (0.2, 0.5), prob: float = 1.0) -> None:
        self.cut = value_range("cut", cut, 0.0, 1.0)
        self.prob = probability(prob)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        kept = 1 - draws.uniform("gibbs_ringing.cut", *self.cut)[:, None].expand(-1, 2)
        return damage_chosen(images, draws.uniform("gibbs_ringing.prob") < self.prob, gibbs_ringing, kept)
