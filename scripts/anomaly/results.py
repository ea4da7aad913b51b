# SPDX-License-Identifier: Apache-2.0
"""The files of an anomaly map: images, table and sidecars, complete or absent."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import astuple, fields
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from torch import Tensor

from ..files.atomic import replacing, write_json
from ..files.bids import bids_entities
from ..files.nifti_image import save_nifti
from .clusters import Cluster
from .mapper import AnomalyMap

__all__ = ["DESCRIPTION", "read_clusters", "result_names", "write_results"]

DESCRIPTION = "anomaly"
"""Word by which :func:`~scripts.files.find_volumes.find_volumes` names the first result."""
RESULTS = {"anomaly": ("anomaly", "probseg"), "clusters": ("clusters", "dseg"), "brain_mask": ("brain", "mask")}
"""Words of plain names, and the label and the suffix of BIDS."""
TEXTS = {
    "anomaly": "Minus log10 of the share of healthy voxels that score as high; beyond 4 it is extrapolated. Beside "
    "called clusters, kept below 2 in the order of the voxels",
    "clusters": "Clusters of anomalous voxels, by their numbers in the table",
    "brain_mask": "Brain with its ventricles",
}
COLUMNS = [field.name for field in fields(Cluster)]


def result_names(output: str) -> dict[str, str]:
    """Paths of all results, without their endings.

    Args:
        output: path of the first result, relative to the folder of the results.

    Example:
        >>> result_names("a/head_anomaly.nii.gz")
        {'anomaly': 'a/head_anomaly', 'clusters': 'a/head_clusters', 'brain_mask': 'a/head_brain_mask'}
        >>> result_names("sub-1_desc-anomaly_T1w.nii.gz")["clusters"]
        'sub-1_desc-clusters_dseg'
    """
    path = PurePosixPath(output)
    stem = path.name.removesuffix(".nii.gz")
    names = {}
    for word, (label, suffix) in RESULTS.items():
        if bids_entities(stem) is None:
            name = stem.removesuffix(DESCRIPTION) + word
        else:
            entities = stem.rpartition("_")[0]
            capital = entities.endswith(DESCRIPTION.capitalize())
            name = f"{entities[: -len(DESCRIPTION)]}{label.capitalize() if capital else label}_{suffix}"
        names[word] = str(path.with_name(name))
    return names


def write_results(
    found: AnomalyMap, output_dir: Path, output: str, affine: np.ndarray, meta: Mapping[str, Any], facts: dict[str, Any]
) -> list[Path]:
    """Write a map, its clusters as a numbered image and a table, and the brain mask, each with a sidecar.

    The table has no rows where there is no cluster.

    Args:
        found: the map.
        output_dir: folder of the results.
        output: path of the map in it.
        affine: of the volume.
        meta: header of the volume.
        facts: what the sidecars say of all of them.

    Returns:
        The files.

    Raises:
        OSError: a file cannot be written; none is left.
    """
    bids = bids_entities(PurePosixPath(output).name.removesuffix(".nii.gz")) is not None
    images: dict[str, tuple[Tensor, type]] = {
        "anomaly": (found.values, np.float32),
        "clusters": (found.clusters, np.int16),
        "brain_mask": (found.brain, np.uint8),
    }
    written: list[Path] = []
    try:
        for word, name in result_names(output).items():
            values, kind = images[word]
            written.append(output_dir / f"{name}.nii.gz")
            save_nifti(values.numpy(), affine, written[-1], meta, kind)
            if word == "clusters":
                written.append(output_dir / f"{name}.{'tsv' if bids else 'csv'}")
                _write_table(found, written[-1], "\t" if bids else ",")
            written.append(output_dir / f"{name}.json")
            kind_of_mask = {"Type": "Brain"} if word == "brain_mask" else {}
            write_json(written[-1], {"Description": TEXTS[word], **kind_of_mask, **facts, "Warnings": found.warnings})
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return written


def read_clusters(path: Path) -> list[Cluster]:
    """The clusters of a table.

    Args:
        path: file that :func:`write_results` wrote.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        kinds = {"index": int, "name": str}
        return [Cluster(**{name: kinds.get(name, float)(row[name]) for name in COLUMNS}) for row in rows]


def _write_table(found: AnomalyMap, path: Path, delimiter: str) -> None:
    with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        rows.writerow([*COLUMNS, "warning"])
        rows.writerows([*astuple(cluster), " ".join(found.warnings) or "n/a"] for cluster in found.table)
