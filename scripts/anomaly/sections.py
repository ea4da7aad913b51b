# SPDX-License-Identifier: Apache-2.0
"""Parts of the pages of heads: the called clusters, and the map slice by slice."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from monai.data import MetaTensor
from torch import Tensor

from ..pages.map_views import MappedHead
from ..pages.page import Section
from .calibration import LINE
from .clusters import Cluster

__all__ = ["NOTE", "findings", "map_pictures", "slices"]

NOTE = "Research use, not for diagnosis. The right side of the head is on the left of each picture."
TICKS = {2.0: "2: 1 voxel in 100", 3.0: "3: 1 in 1,000", 4.0: "4: 1 in 10,000", 6.0: "6: beyond any p"}
LABEL = "minus log10 p: so many voxels of healthy brains score as high"
MOST_VIEWS = 8
"""Clusters that are shown in three planes."""


def map_pictures(volume: MetaTensor, values: Tensor, clusters: Tensor, brain: Tensor) -> MappedHead:
    """Pictures of a head with its map.

    Args:
        volume: head ``(1, X, Y, Z)`` as it was mapped.
        values: minus log10 p, ``(X, Y, Z)``.
        clusters: numbers of the called clusters, same shape.
        brain: mask, same shape.
    """
    return MappedHead(volume, values, clusters, brain, LINE, TICKS, LABEL)


def slices(pictures: MappedHead) -> Section:
    """The map in axial slices."""
    text = (
        f"Axial slices from below to above. Coloured is what lies above {LINE:g}: 1 % of a healthy brain does as "
        "well, so specks are to be expected where no cluster is called. Outlined and numbered are the called clusters; "
        "beside them nothing but what hangs together with them is coloured."
    )
    caption = "Every slice with its height in the image's millimetres (z)."
    return Section("The map", text, figures={caption: pictures.montage()})


def findings(table: Sequence[Cluster], pictures: MappedHead, level: float, heads: int) -> Section:
    """The called clusters: a table, and three planes through the peak of each.

    Args:
        table: the clusters.
        pictures: of the head with its map.
        level: p up to which a cluster is called.
        heads: number of healthy heads of the calibration.
    """
    if not table:
        text = (
            f"No cluster is called: none is stronger than the strongest of all but {level:.0%} of healthy heads. "
            "That is no proof of health."
        )
        return Section("Findings", text)
    rarest = f"under {1 / heads:.2g}"
    shown = pd.DataFrame(
        {
            "no.": one.index,
            "region": one.name,
            "x, y, z (mm)": f"{one.x_mm:.0f}, {one.y_mm:.0f}, {one.z_mm:.0f}",
            "size (ml)": f"{one.volume_mm3 / 1000:.2f}",
            "peak": f"{one.peak:.1f}",
            "p": f"{one.p:.3f}",
            "such clusters in a healthy head": f"{one.false_per_head:.2g}" if one.false_per_head else rarest,
            "share of false ones (q)": f"{one.q:.2g}",
        }
        for one in table
    )
    text = (
        "The strongest first. p: how likely a healthy head has any cluster as strong. The place is that of the peak; "
        "x grows to the right, y to the front, z upwards. Regions are read off a coarse template and say where to look."
    )
    points = {
        f"{one.index}: {one.name}, {one.volume_mm3 / 1000:.2f} ml": (one.x_mm, one.y_mm, one.z_mm)
        for one in table[:MOST_VIEWS]
    }
    caption = "Through the peak of each cluster: the head as it is, then with the map."
    return Section("Findings", text, shown, {caption: pictures.views(points)})
