# SPDX-License-Identifier: Apache-2.0
"""Clusters: neighbouring voxels with high values, as one finding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .detector import WORKING_MM, Head
from .healthy_template import shipped_template

__all__ = ["FORMING", "Cluster", "cluster_strengths", "label_clusters", "named_clusters", "standing_out"]

FORMING = 2.5
"""Minus log10 p above which neighbouring voxels are one cluster."""
LEAST_VOXELS = 3
"""Voxels of the smallest cluster, of 2 mm: less is noise."""
BLUR_MM = 2.0
"""Standard deviation of the blur of a map in which the strength of clusters is measured."""
VOXEL_MM3 = WORKING_MM**3
BENT = 1.5
"""Minus log10 p up to which voxels beside called clusters keep their value."""
TOUCHING = ndimage.generate_binary_structure(3, 1)
"""Voxels that share a side are neighbours."""


@dataclass(frozen=True)
class Cluster:
    """One finding.

    Attributes:
        index: its number in the image of clusters.
        name: region of the brain.
        x_mm: of the peak, in the image's own millimetres, RAS.
        y_mm: likewise.
        z_mm: likewise.
        volume_mm3: its size.
        peak: largest value of the map.
        p: how likely a healthy head has any cluster as strong.
        false_per_head: how many such clusters a healthy head has on average.
        q: estimated share of false ones among this and the stronger clusters of the head.
    """

    index: int
    name: str
    x_mm: float
    y_mm: float
    z_mm: float
    volume_mm3: float
    peak: float
    p: float
    false_per_head: float
    q: float


def label_clusters(values: NDArray[np.floating]) -> NDArray[np.int32]:
    """Number the clusters of a map.

    Args:
        values: minus log10 p, ``(H, W, D)``.

    Returns:
        Numbers from 1, 0 outside; clusters of fewer voxels are left out.
    """
    labels, number = ndimage.label(values > FORMING, structure=TOUCHING)
    sizes = np.bincount(labels.ravel(), minlength=number + 1)
    kept = np.flatnonzero(sizes[1:] >= LEAST_VOXELS) + 1
    numbers = np.zeros(number + 1, dtype=np.int32)
    numbers[kept] = np.arange(1, len(kept) + 1)
    return numbers[labels]


def cluster_strengths(labels: NDArray[np.int32], values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Strength of each cluster: the largest value of the map, blurred by 2 mm, in it.

    So a compact cluster counts for more than a thin sheet along a surface, of which healthy heads have large ones: of
    lesions of 12 to 28 mm, five times as many are called as by size or mass.

    Args:
        labels: numbers of the clusters.
        values: the map.
    """
    number = int(labels.max(initial=0))
    blurred = ndimage.gaussian_filter(values.astype(np.float64), BLUR_MM / WORKING_MM)
    return np.asarray(ndimage.maximum(blurred, labels, np.arange(1, number + 1)), dtype=np.float64).reshape(number)


def standing_out(values: NDArray[np.float32], called: NDArray[np.bool_], line: float) -> NDArray[np.float32]:
    """The map in which called clusters stand out: what hangs together with none of them stays below the line.

    A healthy head has 1 % of its brain above the line, which in a head with lesions is said once more beside them,
    although the clusters have told by then what there is. The order of the other voxels is kept, and no value is
    raised: what is above the line is still at most 1 % of a healthy brain.

    Args:
        values: minus log10 p, ``(H, W, D)``.
        called: where the called clusters are; without any, the map stays as it is.
        line: the line, above :data:`BENT`.

    Returns:
        Shape of ``values``.
    """
    if not called.any():
        return values
    above, _ = ndimage.label(values > line, structure=TOUCHING)
    kept = np.isin(above, np.unique(above[called]))  # clusters lie above the line
    room = line - BENT
    below = np.where(values > BENT, BENT + room * -np.expm1((BENT - values) / room), values)
    return np.where(kept & (values > line), values, below).astype(values.dtype)


def named_clusters(
    labels: NDArray[np.int32],
    values: NDArray[np.floating],
    head: Head,
    p: NDArray[np.float64],
    false_per_head: NDArray[np.float64],
    q: NDArray[np.float64],
) -> list[Cluster]:
    """Say where clusters are; the regions are those of the template of healthy brains.

    Args:
        labels: numbers of the clusters, ``(H, W, D)``.
        values: the map.
        head: head that it is of.
        p: see :class:`Cluster`, one number for each cluster.
        false_per_head: likewise.
        q: likewise.
    """
    if not len(p):
        return []
    template = shipped_template()
    fit = template.fit(head).numpy()
    found = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        there = labels[box] == number
        start = [part.start for part in box]
        peak = np.unravel_index(np.argmax(np.where(there, values[box], -np.inf)), there.shape)
        place = (head.affine @ [*(np.array(start) + peak), 1.0])[:3]
        centre = (head.affine @ [*(np.argwhere(there).mean(axis=0) + start), 1.0])[:3]
        found.append(
            Cluster(
                index=number,
                name=template.region(fit[:, :3] @ centre + fit[:, 3]),
                **dict(zip(("x_mm", "y_mm", "z_mm"), np.round(place, 1).tolist(), strict=True)),
                volume_mm3=float(there.sum() * VOXEL_MM3),
                peak=round(float(values[box][tuple(peak)]), 2),
                **{
                    name: float(f"{part[number - 1]:.4g}")
                    for name, part in (("p", p), ("false_per_head", false_per_head), ("q", q))
                },
            )
        )
    return found
