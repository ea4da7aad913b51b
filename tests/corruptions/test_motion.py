# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
import torch

from scripts.corruptions import Draws, RandMotion, motion
from scripts.corruptions.motion import rotate, shift

SHAPES = pytest.mark.parametrize("shape", [(2, 3, 20, 26), (2, 1, 20, 26, 9)], ids=["stack", "volume"])


def images(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def outer_rows(size: int, first: int, columns: int) -> torch.Tensor:
    """Poses of ``(1, size, columns)`` points: 1 for rows of a frequency from ``first`` on, 0 for the others."""
    frequency = torch.fft.fftfreq(size, 1 / size)
    return (frequency >= first).long()[None, :, None].expand(1, size, columns)


@SHAPES
def test_a_head_that_lies_still_stays_as_it_is(shape):
    image, still = images(*shape), torch.zeros(2, 1, 3, dtype=torch.float64)
    damaged = motion(image, still, still, outer_rows(20, 4, 26).expand(2, -1, -1))
    torch.testing.assert_close(damaged, image, rtol=0, atol=1e-6)  # the ramps are float32


@SHAPES
def test_a_segment_moved_by_whole_voxels_is_that_of_the_rolled_image(shape):
    image, pose = images(*shape), outer_rows(20, 4, 26).expand(2, -1, -1)
    voxels = torch.tensor([[[2.0, -3.0, 1.0]], [[-1.0, 4.0, -2.0]]])
    damaged = motion(image, torch.zeros(2, 1, 3), voxels, pose)
    axes = tuple(range(2, len(shape)))
    for number in range(2):
        one = image[number : number + 1]
        moved = one.roll([int(v) for v in voxels[number, 0, : len(axes)]], axes)
        there = pose[number].view(1, 1, 20, 26, *[1] * (len(shape) - 4)) == 1
        spectrum = torch.where(there, torch.fft.fft2(moved, dim=(2, 3)), torch.fft.fft2(one, dim=(2, 3)))
        expected = torch.fft.ifft2(spectrum, dim=(2, 3)).abs()
        torch.testing.assert_close(damaged[number : number + 1], expected, rtol=0, atol=1e-5)


def test_a_shift_by_part_of_a_voxel_is_that_of_a_wave():
    place = torch.arange(24, dtype=torch.float64)
    wave = torch.cos(2 * math.pi * 3 * place / 24).expand(1, 1, 5, 24)
    moved = torch.cos(2 * math.pi * 3 * (place - 0.3) / 24).expand(1, 1, 5, 24)
    torch.testing.assert_close(shift(wave, 1, torch.full((1, 1, 1, 1), 0.3)), moved, rtol=0, atol=1e-6)


@pytest.mark.parametrize("plane", [(0, 1), (0, 2), (1, 2)], ids=str)
def test_a_quarter_turn_moves_every_voxel_exactly(plane):
    image = torch.zeros(1, 1, 21, 21, 21, dtype=torch.float64)
    image[:, :, 7:14, 7:14, 7:14] = images(1, 1, 7, 7, 7)  # so that no corner wraps around
    turned = rotate(image, plane, torch.tensor([math.pi / 2]))
    expected = torch.rot90(image, 1, [axis + 2 for axis in plane])
    torch.testing.assert_close(turned, expected, rtol=0, atol=1e-5)


def test_a_rotation_is_one_in_millimetres():
    rows = (torch.arange(41) - 20)[:, None] * 1.0
    columns = (torch.arange(25) - 12) * 2.0  # columns twice as wide

    def ellipse(angle: float) -> torch.Tensor:
        across = rows * math.cos(angle) + columns * math.sin(angle)
        along = columns * math.cos(angle) - rows * math.sin(angle)
        return torch.exp(-(across**2) / 2 / 4**2 - along**2 / 2 / 6**2).double()[None, None]

    angle = math.radians(20)
    turned = rotate(ellipse(0.0), (0, 1), torch.tensor([angle]), (1.0, 2.0, 1.0))
    torch.testing.assert_close(turned, ellipse(angle), rtol=0, atol=2e-3)  # the tails of the ellipse are cut
    assert (turned - ellipse(-angle)).abs().max() > 0.1


def test_a_turn_there_and_back_loses_nothing():
    image, angle = images(1, 1, 21, 27), torch.tensor([0.05])
    torch.testing.assert_close(rotate(rotate(image, (0, 1), angle), (0, 1), -angle), image, rtol=0, atol=1e-5)


def test_several_poses_fill_their_own_segments():
    image = images(1, 1, 16, 16)
    frequency = torch.fft.fftfreq(16, 1 / 16)
    pose = torch.where(frequency > 4, 1, torch.where(frequency < -4, 2, 0))[None, :, None].expand(1, 16, 16)
    moves = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]])
    damaged = motion(image, torch.zeros_like(moves), moves, pose)
    spectrum = torch.fft.fft2(image)
    for number, moved in ((1, image.roll(1, 2)), (2, image.roll(2, 3))):
        spectrum = torch.where(pose == number, torch.fft.fft2(moved), spectrum)
    torch.testing.assert_close(damaged, torch.fft.ifft2(spectrum).abs(), rtol=0, atol=1e-5)


def test_the_middle_of_kspace_is_never_moved_and_segments_are_few():
    keys = {"subject": torch.arange(500), "slice": torch.zeros(500, dtype=torch.int64), "epoch": 0}
    step = RandMotion(poses=[2, 4], centre=0.1)
    poses = torch.fft.fftshift(step._poses(120, Draws(0, keys)), dim=1)
    assert (poses[:, 54:66] == 0).all()
    changes = (poses.diff(dim=1) != 0).sum(1)
    assert set(changes.tolist()) >= {1, 2, 3}
    assert changes.max() <= 3
    moved = (poses > 0).float().mean(0)
    assert moved[0] > 0.8 * moved.max()  # the ends of k-space are hit most
    assert moved[[0, -1]].min() > 0.3


def test_a_drawn_motion_keeps_within_its_millimetres_and_degrees():
    keys = {"subject": torch.arange(40), "slice": torch.zeros(40, dtype=torch.int64), "epoch": 0}
    image = torch.rand(1, 1, 32, 32).expand(40, -1, -1, -1)
    still = RandMotion(degrees=0.0, millimetres=0.0)(image, Draws(0, keys))
    torch.testing.assert_close(still, image, rtol=0, atol=1e-5)
    few = RandMotion(degrees=0.0, millimetres=0.5)(image, Draws(0, keys)) - image
    many = RandMotion(degrees=0.0, millimetres=0.5, spacing_mm=0.25)(image, Draws(0, keys)) - image
    assert 0 < few.std() < 0.5 * many.std()  # the same millimetres are more of the small voxels
