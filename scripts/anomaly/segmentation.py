# SPDX-License-Identifier: Apache-2.0
"""Clusters as a DICOM segmentation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..files.dicom import source_of
from ..files.dicom_segmentation import Segment, refused_segmentation, write_segmentation
from ..inference.volumes import no_dicom_result
from .clusters import Cluster
from .mapper import AnomalyMap

__all__ = ["no_segmentation", "write_clusters"]

ABOUT = "Clusters of voxels unlike those of healthy heads; not a diagnosis"


def no_segmentation(item: Mapping[str, str]) -> str:
    """Why no segmentation can be made for a volume; "" if one can.

    Args:
        item: item of :func:`~scripts.inference.volumes.find_volumes` without an error.
    """
    return no_dicom_result(item) or refused_segmentation(source_of(Path(item["image"]), item["series"]))


def write_clusters(found: AnomalyMap, item: Mapping[str, str], path: Path) -> list[Path]:
    """Write the called clusters, each a segment with its place, size and p.

    Args:
        found: the map.
        item: its volume, an item of :func:`~scripts.inference.volumes.find_volumes`.
        path: the file; a former one is removed where nothing was called, as no segmentation is empty.

    Returns:
        The file, if one was written.

    Raises:
        OSError: it cannot be written.
    """
    labels = found.clusters.numpy()
    seen = set(labels[labels > 0].tolist())  # the grid may be too coarse for a small one
    segments = [_segment(cluster, found.warnings) for cluster in found.table if cluster.index in seen]
    if not segments:
        path.unlink(missing_ok=True)
        return []
    write_segmentation(path, labels, segments, source_of(Path(item["image"]), item["series"]), ABOUT)
    return [path]


def _segment(cluster: Cluster, warnings: list[str]) -> Segment:
    places = ", ".join(f"{value:g}" for value in (cluster.x_mm, cluster.y_mm, cluster.z_mm))
    facts = (
        f"{cluster.name}, {cluster.volume_mm3:g} mm3, peak {cluster.peak:g} at {places} mm (RAS), p {cluster.p:g}, "
        f"{cluster.false_per_head:g} such clusters in a healthy head, q {cluster.q:g}."
    )
    label = f"{cluster.index} {cluster.name}, {cluster.volume_mm3 / 1000:.2f} ml"
    return Segment(cluster.index, label, " ".join([facts, *(f"Warning: {warning}" for warning in warnings)]))
