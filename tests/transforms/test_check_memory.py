# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, DivisiblePadd

from scripts.files.checked import MemoryCheck
from scripts.transforms import CheckMemoryd, SpacingOnlyd, SplitSlicePhasesd

COARSEST = 8 / 3


def seen(shape, spacing):
    """Voxels that the network is given."""
    steps = Compose(
        [
            SpacingOnlyd("image", (2.0, 2.0, -1), min_pixdim=(0.0, 0.0, 0.0), max_pixdim=(COARSEST, COARSEST, 1e6)),
            SplitSlicePhasesd("image", 2.0),
            DivisiblePadd("image", (8, 8, 1)),
        ]
    )
    volume = MetaTensor(torch.zeros(1, *shape), affine=np.diag([*spacing, 1.0]))
    return steps({"image": volume})["image"].numel()


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((32, 48, 20), (2, 2, 2)), ((33, 40, 20), (1, 1, 1)), ((40, 30, 17), (0.3, 6, 3)), ((16, 16, 16), (30, 30, 1)),
     ((17, 20, 16), (0.1, 0.5, 2))],
)  # fmt: skip
def test_the_memory_of_the_networks_grid_is_foreseen(shape, spacing):
    needed = MemoryCheck.PER_VOXEL * seen(shape, spacing) / 1e9
    item = {"image": MetaTensor(torch.zeros(1, *shape), affine=np.diag([*spacing, 1.0]))}
    assert CheckMemoryd("image", 2.0, COARSEST, max_memory=1.15 * needed)(item).keys() == item.keys()
    with pytest.raises(ValueError, match=r"needs about .* GB of memory, more than max_memory .* raise --max_memory"):
        CheckMemoryd("image", 2.0, COARSEST, max_memory=0.85 * needed)(item)


@pytest.mark.parametrize("size", [0.002, 2000.0])
def test_no_memory_is_taken_for_what_asks_for_hundreds_of_gigabytes(size):
    item = {"image": MetaTensor(torch.zeros(1, 90, 120, 90), affine=np.diag([size, size, size, 1.0]))}
    with pytest.raises(ValueError, match=r"a volume of 90 x 120 x 90 voxels of .* mm needs about .* GB of memory"):
        CheckMemoryd("image", 2.0, COARSEST)(item)
