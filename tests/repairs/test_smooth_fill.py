# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.sparse.linalg import spsolve

from scripts.repairs import fill_smoothly, separate_boxes


def ball(shape: tuple[int, int, int], centre: tuple[int, int, int], radius: float) -> torch.Tensor:
    index = torch.stack(torch.meshgrid(*[torch.arange(size) for size in shape], indexing="ij"))
    return (index - torch.tensor(centre).view(3, 1, 1, 1)).square().sum(0) < radius**2


def noise(shape: tuple[int, int, int]) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def solved_directly(volume: np.ndarray, hole: np.ndarray, spacing: tuple[float, ...], order: int) -> np.ndarray:
    """The same equations as one sparse system, of Kronecker products."""
    laplacian = 0
    for axis, size in enumerate(volume.shape):
        difference = sparse.diags([-np.ones(size - 1), np.ones(size - 1)], [0, 1], shape=(size - 1, size))
        parts = [sparse.identity(n) for n in volume.shape]
        parts[axis] = -(difference.T @ difference) * (min(spacing) / spacing[axis]) ** 2
        laplacian = laplacian + sparse.kron(sparse.kron(parts[0], parts[1]), parts[2])
    operator = (laplacian if order == 1 else laplacian @ laplacian).tocsr()
    inside = hole.ravel()
    known = np.where(inside, 0, volume.ravel())
    result = known.copy()
    result[inside] = spsolve(operator[inside][:, inside].tocsc(), -(operator @ known)[inside])
    return result.reshape(volume.shape)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 0.9, 3.0)])
def test_it_solves_the_equations_with_the_sizes_of_the_voxels(order: int, spacing: tuple[float, ...]) -> None:
    volume = noise((17, 15, 13))
    hole = ball((17, 15, 13), (8, 7, 6), 4.5) | ball((17, 15, 13), (1, 13, 2), 3)  # one at the corner
    filled = fill_smoothly(volume, hole, spacing, order)
    expected = solved_directly(volume.numpy(), hole.numpy(), spacing, order)
    np.testing.assert_allclose(filled.numpy(), expected, atol=0.01)
    assert torch.equal(filled[~hole], volume[~hole])


def test_the_biharmonic_filling_continues_a_slope_and_laplace_does_not_overshoot() -> None:
    ramp = torch.arange(40.0).view(40, 1, 1).expand(40, 30, 30).clone()
    hole = ball((40, 30, 30), (20, 15, 15), 9)
    given = ramp.masked_fill(hole, 1e6)  # what is in the hole does not matter
    assert (fill_smoothly(given, hole) - ramp).abs().max() < 0.05
    step = torch.where(ramp > 19, 1.0, 0.0).masked_fill(hole, -5)
    harmonic = fill_smoothly(step, hole, order=1)
    assert harmonic.min() >= -1e-3
    assert harmonic.max() <= 1 + 1e-3
    assert harmonic.dtype == torch.float32


def test_each_part_is_filled_as_if_it_were_alone() -> None:
    volume, first, second = noise((40, 20, 20)), ball((40, 20, 20), (8, 9, 9), 4), ball((40, 20, 20), (30, 9, 9), 5)
    both = fill_smoothly(volume, first | second)
    np.testing.assert_array_equal(both[:20], fill_smoothly(volume, first)[:20])
    np.testing.assert_array_equal(both[20:], fill_smoothly(volume, second)[20:])


def test_what_is_not_finite_around_a_hole_is_not_used() -> None:
    volume = torch.ones(20, 20, 20)
    hole = ball((20, 20, 20), (10, 10, 10), 3)
    volume[10, 10, 13:15] = torch.nan
    volume[hole] = torch.inf
    filled = fill_smoothly(volume, hole)
    np.testing.assert_allclose(filled[hole], 1, atol=1e-3)
    with pytest.raises(ValueError, match="no voxel is known"):
        fill_smoothly(torch.full((8, 8, 8), torch.nan), ball((8, 8, 8), (4, 4, 4), 2))


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(ValueError, match=r"order must be 1 .* got 3"):
        fill_smoothly(torch.ones(4, 4, 4), torch.zeros(4, 4, 4, dtype=torch.bool), order=3)


def test_boxes_hold_the_mask_and_touch_it() -> None:
    mask = torch.zeros(20, 20, 20, dtype=torch.bool)
    assert separate_boxes(mask) == []
    mask[2:4, 2:4, 2:4] = mask[5:7, 5:7, 5:7] = mask[15, 3, 3] = True
    boxes = {tuple((side.start, side.stop) for side in box) for box in separate_boxes(mask, gap=1)}
    assert boxes == {((2, 7), (2, 7), (2, 7)), ((15, 16), (3, 4), (3, 4))}
    assert len(separate_boxes(mask)) == 3
