# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import torch

from scripts.anatomy.midplane import find_midplane


def turned_head(angle: float, shift: float) -> tuple[torch.Tensor, np.ndarray]:
    """A symmetric head of two eyes and a nose, turned about the third axis, and the normal of its midplane."""
    normal = np.array([np.cos(angle), np.sin(angle), 0.0])
    along = np.array([-np.sin(angle), np.cos(angle), 0.0])
    places = np.stack(np.meshgrid(*[np.arange(size) for size in (60, 66, 54)], indexing="ij"), axis=-1)
    offset = places - np.array([30 + shift, 33, 27])
    across, ahead, up = offset @ normal, offset @ along, offset[..., 2]
    head = ((across / 22) ** 2 + (ahead / 27) ** 2 + (up / 22) ** 2 < 1) * 0.5
    for side in (-1, 1):
        head += np.exp(-((across - 9 * side) ** 2 + (ahead - 16) ** 2 + (up - 4) ** 2) / 20)
    return torch.from_numpy(head + np.exp(-(across**2 + (ahead + 15) ** 2 + up**2) / 20)), normal


def test_the_midplane_of_a_turned_head_is_found() -> None:
    head, normal = turned_head(0.1, 2.0)
    lesion = torch.zeros(head.shape, dtype=torch.bool)
    lesion[36:46, 40:50, 25:35] = True
    plane = find_midplane(head.masked_fill(lesion, 5.0), lesion)
    assert np.degrees(np.arccos(plane.normal.numpy() @ normal)) < 1
    assert abs((plane.point.numpy() - np.array([32, 33, 27])) @ normal) < 0.5


def test_mirroring_twice_leads_back() -> None:
    plane = find_midplane(
        *(torch.rand(12, 12, 12, generator=torch.Generator().manual_seed(0)), torch.zeros(12, 12, 12) > 0)
    )
    places = torch.rand(5, 7, 3) * 12
    torch.testing.assert_close(plane.mirrored(plane.mirrored(places)), places, atol=1e-4, rtol=0)
    assert (plane.mirrored(places) - places).norm(dim=-1).max() > 1
