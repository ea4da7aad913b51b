# SPDX-License-Identifier: Apache-2.0
"""Clean heads of a cohort, and lesion-shaped holes in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, Orientationd, Spacingd

from ...corruptions import Draws, RandLesionHoles
from ...data.cohort import load_datalist
from ...transforms import CheckVolumed, LoadVolumed

__all__ = ["heads", "lesion_holes"]


def heads(dataset_dir: str, part: str, spacing_mm: float | Sequence[float] = 0) -> Iterator[MetaTensor]:
    """The heads of a cohort, ``(1, H, W, D)``: axes to the right, anterior and superior, 1 is the 99.5th percentile.

    Args:
        dataset_dir: folder of the cohort.
        part: training, validation or test.
        spacing_mm: voxel sizes to which they are interpolated; 0: their own.
    """
    steps = [LoadVolumed("image"), CheckVolumed("image"), Orientationd("image", axcodes="RAS", labels=None)]
    load = Compose([*steps, *([Spacingd("image", spacing_mm, mode="bilinear")] if spacing_mm else [])])
    for item in load_datalist(dataset_dir, part):
        head = load({"image": item["image"]})["image"]
        yield head / float(np.percentile(np.asarray(head), 99.5))


def lesion_holes(
    head: MetaTensor, seed: int, diameter_mm: Sequence[float] = (6.0, 20.0), number: Sequence[int] = (1, 3)
) -> MetaTensor:
    """Holes in a head, see :class:`~scripts.corruptions.RandLesionHoles`; boolean, the head's shape.

    Args:
        head: ``(1, H, W, D)``.
        seed: another one, other holes.
        diameter_mm: smallest and largest diameter.
        number: smallest and largest number.
    """
    spacing = head.pixdim.tolist()
    draws = Draws(0, {"subject": torch.tensor([seed]), "slice": torch.tensor([0]), "epoch": 0})
    make = RandLesionHoles(diameter_mm=diameter_mm, number=number, spacing_mm=spacing)
    return MetaTensor(make.mask(head.as_tensor()[None], draws)[0], affine=head.affine)
