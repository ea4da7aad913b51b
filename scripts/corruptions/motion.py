# SPDX-License-Identifier: Apache-2.0
"""Rigid motion during the scan: segments of k-space are measured in different poses of the head."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .draws import Draws
from .kspace import PLANE, line_weights
from .parameters import damage_chosen, probability, sizes_mm, value_range

__all__ = ["RandMotion", "motion", "rotate", "shift"]

QUIET = 0.06
"""Share of the lines at each end of k-space during which the head does not move: nobody would see it."""


def shift(images: Tensor, axis: int, voxels: Tensor) -> Tensor:
    """Shift lines along an axis by a phase ramp in k-space, exact for any part of a voxel.

    Args:
        images: shape ``(B, C, *spatial)``; what leaves on one side comes in again on the other.
        axis: spatial axis, 0, 1 or 2.
        voxels: shift of each line, of a shape that broadcasts to ``images`` and has size 1 along ``axis``.

    Returns:
        The shifted images, shape of ``images``.
    """
    size = images.shape[axis + 2]
    angle = (-2 * math.pi) * torch.fft.rfftfreq(size, device=images.device)
    angle = voxels * angle.view([-1 if a == axis else 1 for a in range(images.ndim - 2)])
    ramp = torch.polar(torch.ones_like(angle), angle)
    return torch.fft.irfft(torch.fft.rfft(images, dim=axis + 2) * ramp, n=size, dim=axis + 2)


def rotate(images: Tensor, plane: tuple[int, int], angle: Tensor, mm: Sequence[float] = (1.0, 1.0, 1.0)) -> Tensor:
    """Rotate images about their middle, in three shears, each a :func:`shift`: nothing is blurred.

    Args:
        images: shape ``(B, C, *spatial)``.
        plane: the two spatial axes that turn into each other.
        angle: angle in radians from the first axis to the second, shape ``(B,)``; small, for the corners wrap around.
        mm: voxel size along each spatial axis.

    Returns:
        The rotated images, shape of ``images``.

    References:
        Unser, Thevenaz and Yaroslavsky, Convolution-based interpolation for fast, high-quality rotation of images, IEEE
        Trans. Image Processing 4(10), 1995 (doi:10.1109/83.465102).
    """
    first, second = plane
    for axis, along, slope in (
        (first, second, -torch.tan(angle / 2)),
        (second, first, torch.sin(angle)),
        (first, second, -torch.tan(angle / 2)),
    ):
        length = images.shape[along + 2]
        distance = (torch.arange(length, device=images.device) - (length - 1) / 2) * (mm[along] / mm[axis])
        lines = distance.view([-1 if a == along else 1 for a in range(images.ndim - 2)])
        images = shift(images, axis, slope.view(-1, *[1] * (images.ndim - 1)) * lines)
    return images


def motion(
    images: Tensor, rotation: Tensor, translation: Tensor, pose: Tensor, mm: Sequence[float] = (1.0, 1.0, 1.0)
) -> Tensor:
    """Put k-space together from several poses of the head.

    Slices and stacks move within their plane; volumes, measured in three dimensions, turn about and move along all
    three axes. Between the poses the head lies still, as when somebody swallows or falls asleep.

    Args:
        images: shape ``(B, C, H, W)`` or ``(B, C, H, W, D)``.
        rotation: angles of each moved pose in radians, shape ``(B, poses, 3)``: in the plane of rows and columns, of
            rows and slices, of columns and slices, in this order. Slices use the first one.
        translation: shift of each moved pose in voxels along rows, columns and slices, after the rotation, same shape.
        pose: the pose in which each point of k-space is measured, in the order of the FFT, integers of shape
            ``(B, H, W)``: 0 for the head as it is, else 1 and up.
        mm: voxel size along rows, columns and slices.

    Returns:
        The damaged images, >= 0, shape of ``images``.
    """
    pose = pose.view(len(pose), 1, *pose.shape[1:], *[1] * (images.ndim - 4))
    spectrum = torch.fft.fft2(images, dim=PLANE)
    for number in range(rotation.shape[1]):
        rows = (pose == number + 1).flatten(1).any(dim=1).nonzero()[:, 0]
        if len(rows) == 0:
            continue
        moved = _moved(images[rows], rotation[rows, number], translation[rows, number], mm)
        there = torch.where(pose[rows] == number + 1, torch.fft.fft2(moved, dim=PLANE), spectrum[rows])
        spectrum = spectrum.index_copy(0, rows, there)
    return torch.fft.ifft2(spectrum, dim=PLANE).abs()


def _moved(images: Tensor, angles: Tensor, voxels: Tensor, mm: Sequence[float]) -> Tensor:
    planes = [(0, 1), (0, 2), (1, 2)] if images.ndim == 5 else [(0, 1)]
    for number, plane in enumerate(planes):
        images = rotate(images, plane, angles[:, number], mm)
    for axis in range(images.ndim - 2):
        images = shift(images, axis, voxels[:, axis].view(-1, *[1] * (images.ndim - 1)))
    return images


class RandMotion:
    """Motion between segments of k-space with the poses and segments drawn for each image.

    The lines along a phase-encoding axis are measured one after another, from one end of k-space to the other, and the
    head moves between two lines. The segment of the middle, which holds nearly all of the contrast, shows the head in
    its place, so that the clean image stays where it is.

    Args:
        degrees: largest rotation about each axis.
        millimetres: largest translation along each axis.
        poses: smallest and largest number of poses, the one of the clean image included.
        centre: central share of the lines during which the head never moves.
        spacing_mm: voxel size, one number or one each for rows, columns and slices.
        prob: probability that an image is damaged.

    Raises:
        ValueError: a parameter is out of range.
    """

    def __init__(
        self,
        degrees: float = 3.0,
        millimetres: float = 3.0,
        poses: Sequence[int] = (2, 4),
        centre: float = 0.08,
        spacing_mm: float | Sequence[float] = 2.0,
        prob: float = 1.0,
    ) -> None:
        self.degrees = value_range("degrees", [0, degrees], 0.0, 45.0)[1]
        self.millimetres = value_range("millimetres", [0, millimetres], 0.0, float("inf"))[1]
        self.poses = [int(v) for v in value_range("poses", poses, 2, float("inf"))]
        self.centre = value_range("centre", [0, centre], 0.0, 0.7)[1]
        self.mm = sizes_mm(spacing_mm)
        self.prob = probability(prob)

    def __call__(self, images: Tensor, draws: Draws) -> Tensor:
        """Damage ``images`` of shape ``(B, C, *spatial)``."""
        segments = self.poses[1]
        rotation = (2 * draws.uniform_field("motion.rotation", (segments, 3)) - 1) * math.radians(self.degrees)
        translation = (2 * draws.uniform_field("motion.translation", (segments, 3)) - 1) * self.millimetres
        translation = translation / torch.tensor(self.mm, device=images.device)
        rows, columns = (self._poses(size, draws) for size in images.shape[2:4])
        pose = line_weights(rows, columns, draws.integers("motion.axis", 0, 2))
        chosen = draws.uniform("motion.prob") < self.prob
        return damage_chosen(images, chosen, motion, rotation, translation, pose, self.mm)

    def _poses(self, size: int, draws: Draws) -> Tensor:
        """The pose of each line, in the order of the FFT, ``(B, size)``."""
        most = self.poses[1]
        outer = 1 - self.centre - 2 * QUIET
        moves = outer * draws.uniform_field("motion.time", (most - 1,))
        moves = QUIET + moves + self.centre * (moves > outer / 2)  # none in the middle
        number = draws.integers("motion.poses", self.poses[0], most + 1) - 1
        moves = moves.where(torch.arange(most - 1, device=moves.device) < number[:, None], 2.0)  # after the end
        times = (torch.arange(size, device=moves.device) + 0.5) / size
        segment = (moves[:, None, :] < times[:, None]).sum(dim=2)  # (B, size)
        middle = (moves < 0.5).sum(dim=1, keepdim=True)
        return torch.fft.ifftshift(torch.where(segment == middle, 0, segment + 1), dim=1)
