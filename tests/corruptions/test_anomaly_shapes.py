# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from scripts.corruptions.anomaly_shapes import (
    SHAPES,
    Shapes,
    axes_along,
    box_offsets,
    cluster_distance,
    ellipsoid_distance,
    gradient_at,
    places,
    shape_weights,
    soft_edge,
)

OFFSETS = box_offsets(torch.full((1, 3), 15.0), [31, 31, 31], (2.0, 2.0, 2.0))
RADIAL = (OFFSETS[0] ** 2 + OFFSETS[1] ** 2 + OFFSETS[2] ** 2).sqrt()[0]


def shapes(name: str, radius: float = 16.0, sigma: float = 0.25, core: float = -0.5) -> Shapes:
    return Shapes(
        code=torch.tensor([SHAPES.index(name)]),
        centre=torch.full((1, 3), 15.0),
        axes=torch.eye(3)[None],
        radius=torch.full((1, 3), radius),
        sigma=torch.tensor([sigma]),
        bumps=torch.zeros(1, 2, 2, 2),
        balls=torch.tensor([[[0.0, 0.0, 0.0], [16.0, 0.0, 0.0], [0.0, 16.0, 0.0]]]),
        ball_radius=torch.tensor([[5.0, 5.0, 0.0]]),
        wall=torch.tensor([5.0]),
        core=torch.tensor([core]),
    )


def test_offsets_are_millimetres_from_the_centre():
    x, y, z = box_offsets(torch.tensor([[1.0, 2.0, 0.5]]), [3, 4, 2], (2.0, 1.0, 3.0))
    assert x.flatten().tolist() == [-2, 0, 2]
    assert y.flatten().tolist() == [-2, -1, 0, 1]
    assert z.flatten().tolist() == [-1.5, 1.5]
    assert torch.broadcast_shapes(x.shape, y.shape, z.shape) == (1, 3, 4, 2)


def test_the_distance_to_a_sphere_is_exact_and_to_an_ellipsoid_right_along_its_axes():
    sphere = ellipsoid_distance(OFFSETS, torch.eye(3)[None], torch.full((1, 3), 12.0), torch.ones(()))[0]
    torch.testing.assert_close(sphere, 12 - RADIAL, atol=0.02, rtol=0)
    turn = axes_along(torch.tensor([[1.0, 2.0, -1.0]]), torch.tensor([[0.0, 1.0, 1.0]]))
    radius = torch.tensor([[4.0, 9.0, 14.0]])
    for number in range(3):
        for inwards in (1.0, -1.0):
            point = [((radius[0, number] - inwards) * turn[0, number, axis]).view(1, 1, 1, 1) for axis in range(3)]
            found = ellipsoid_distance(point, turn, radius, torch.ones(()))
            assert found.item() == pytest.approx(inwards, abs=0.01)


def test_axes_are_perpendicular_unit_vectors_the_first_as_given():
    first = torch.randn(50, 3)
    axes = axes_along(first, torch.randn(50, 3))
    torch.testing.assert_close(axes @ axes.mT, torch.eye(3).expand(50, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(axes[:, 0] * first.norm(dim=1, keepdim=True), first)


def test_a_cluster_is_the_union_of_its_balls_without_those_of_no_size():
    weight, _ = shape_weights(shapes("cluster"), OFFSETS)
    first, second = RADIAL < 5, ((OFFSETS[0] - 16) ** 2 + OFFSETS[1] ** 2 + OFFSETS[2] ** 2).sqrt()[0] < 5
    assert torch.equal(weight[0] > 0.5, first | second)
    soft, _ = shape_weights(shapes("cluster", sigma=2.0), OFFSETS)
    assert soft[0, 15, 23, 15] == 0
    distance = cluster_distance(OFFSETS, torch.zeros(1, 1, 3), torch.tensor([[5.0]]))[0]
    torch.testing.assert_close(distance, 5 - RADIAL)


def test_a_shell_has_a_wall_around_a_core_of_the_other_sign():
    weight, profile = shape_weights(shapes("shell"), OFFSETS)
    wall, core = (RADIAL < 15) & (RADIAL > 12), RADIAL < 10
    assert torch.equal(profile[0][wall], torch.ones(int(wall.sum())))
    torch.testing.assert_close(profile[0][core], torch.full((int(core.sum()),), -0.5))
    assert (weight >= profile.abs() - 1e-6).all()
    empty, _ = shape_weights(shapes("shell", core=0.0), OFFSETS)
    assert empty[0][core].max() == 0


@pytest.mark.parametrize("name", ["blob", "ellipsoid", "flat"])
def test_other_shapes_are_solid(name):
    weight, profile = shape_weights(shapes(name), OFFSETS)
    assert torch.equal(weight, profile)
    assert torch.equal(weight[0] > 0.5, RADIAL < 16)


def test_bumps_move_the_surface_by_their_share():
    rough = shapes("blob", radius=10.0)._replace(bumps=torch.full((1, 2, 2, 2), 0.3))
    weight, _ = shape_weights(rough, OFFSETS)
    along = (weight[0, :, 15, 15] > 0.5).sum()
    assert along == 13  # 2 mm voxels nearer than 13 mm


def test_a_soft_edge_rises_within_two_sigma_on_both_sides_like_a_gaussian():
    distance = torch.linspace(-10, 10, 2001).view(1, -1, 1, 1)
    weight = soft_edge(distance, torch.tensor([2.0])).flatten()
    gaussian = torch.special.ndtr(distance.flatten() / 2)
    assert (weight - gaussian).abs().max() < 0.03
    assert weight[distance.flatten() <= -4].max() == 0
    assert weight[distance.flatten() >= 4].min() == 1


def test_places_lie_in_the_brain_and_deep_ones_far_inside():
    brain = torch.zeros(1, 1, 60, 60, 60, dtype=torch.bool)
    brain[:, :, 10:50, 10:50, 10:50] = True
    image = torch.rand(1, 1, 60, 60, 60)
    for deep, margin in ((False, 0), (True, 5)):
        found = places(image, torch.rand(1, 500, 4), brain, deep)[0]
        assert found.min() >= 10 + margin
        assert found.max() <= 49 - margin


def test_the_gradient_points_from_dark_to_bright():
    ramp = torch.arange(40.0).view(1, 1, 1, 40, 1).expand(1, 1, 24, 40, 24) * 0.1
    slope = gradient_at(ramp, torch.tensor([[[12, 20, 12], [3, 9, 20]]]), (2.0, 0.5, 1.0))
    torch.testing.assert_close(slope, torch.tensor([0.0, 0.2, 0.0]).expand(1, 2, 3))
