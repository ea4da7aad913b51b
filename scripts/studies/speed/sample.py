# SPDX-License-Identifier: Apache-2.0
"""Some subjects of a cohort, on which all contenders work; and a large volume, for the memory that it takes."""

from __future__ import annotations

import dataclasses
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from monai.transforms import Compose, LoadImage, Resize
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

from ...data.cohort import load_cohort, load_datalist
from ...data.split import DATASET_FILE
from ...files.atomic import write_json
from ...networks.blocks import SIZE_MULTIPLE
from ...transforms.plane import plane_axcodes

__all__ = ["Sample", "large_sample", "take_sample"]

SIDE = 256
"""Voxels of 1 mm along each axis of the large volume."""


@dataclass(frozen=True)
class Sample:
    """A small cohort and a folder of volumes.

    Attributes:
        name: name of the cohort, and how much of it.
        dataset_dir: folder of its ``dataset.json``.
        volumes_dir: folder of the volumes to restore.
        plane: plane of the slices.
        slice_shape: ``(H, W)`` of the largest training slice, rounded up to what the networks accept.
        volume_slices: slices of all volumes to restore together, whole heads.
    """

    name: str
    dataset_dir: str
    volumes_dir: str
    plane: str
    slice_shape: tuple[int, int]
    volume_slices: int


def take_sample(
    dataset_dir: str | os.PathLike[str], folder: Path, training: int, validation: int, volumes: int
) -> Sample:
    """Take the first subjects of each part of a cohort.

    Args:
        dataset_dir: folder of the whole cohort; empty: the demo cohort.
        folder: folder of the sample.
        training: number of subjects for training.
        validation: number of subjects for validation.
        volumes: number of test subjects whose volumes are restored.

    Raises:
        FileNotFoundError: there is no cohort.
        ValueError: it is none, or a part of it is empty.
    """
    cohort = load_cohort(dataset_dir)
    sizes = {"training": training, "validation": validation, "test": volumes}
    parts = {part: load_datalist(dataset_dir, part)[:size] for part, size in sizes.items()}
    write_json(folder / "cohort" / DATASET_FILE, {**cohort, **parts})
    volumes_dir = folder / "volumes"
    volumes_dir.mkdir()
    for index, item in enumerate(parts["test"]):
        shutil.copy(item["image"], volumes_dir / f"{index}_{Path(item['image']).name}")
    shapes = [_shape(item, cohort["plane"]) for item in parts["training"]]
    height, width = (-(-max(sizes) // SIZE_MULTIPLE) * SIZE_MULTIPLE for sizes in list(zip(*shapes, strict=True))[:2])
    used = ", ".join(f"{len(items)} of {len(cohort[part])} {part}" for part, items in parts.items())
    return Sample(
        name=f"{cohort['name']} ({used} subjects)",
        dataset_dir=str(folder / "cohort"),
        volumes_dir=str(volumes_dir),
        plane=cohort["plane"],
        slice_shape=(height, width),
        volume_slices=sum(_shape(item, cohort["plane"])[2] for item in parts["test"]),
    )


def _shape(item: dict[str, Any], plane: str) -> tuple[int, int, int]:
    """Height and width of the slices of a file, and their number, read from its header."""
    image: Any = nib.load(item["image"])
    turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(plane_axcodes(plane)))
    height, width, slices = np.asarray(image.shape[:3])[np.argsort(turn[:, 0])].tolist()
    return height, width, slices


def large_sample(sample: Sample, folder: Path) -> Sample:
    """The sample with one volume to restore: its first head, interpolated.

    Args:
        sample: sample with the head.
        folder: folder of the volume, which is made.
    """
    head = sorted(Path(sample.volumes_dir).iterdir())[0]
    volume = Compose([LoadImage(ensure_channel_first=True), Resize((SIDE, SIDE, SIDE))])(head)[0]
    folder.mkdir()
    nib.save(nib.Nifti1Image(np.asarray(volume, dtype=np.int16), np.eye(4)), folder / "large.nii.gz")
    return dataclasses.replace(sample, volumes_dir=str(folder), volume_slices=SIDE)
