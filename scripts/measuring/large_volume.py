# SPDX-License-Identifier: Apache-2.0
"""A volume of 256 x 256 x 256 voxels of 1 mm, for the memory that restoring it takes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import nibabel as nib
import numpy as np
from monai.transforms import Compose, LoadImage, Resize

from .sample import Sample

__all__ = ["large_sample"]

SIDE = 256


def large_sample(sample: Sample, folder: Path) -> Sample:
    """The sample with one volume to restore: its first head, interpolated.

    Args:
        sample: has the head.
        folder: made; receives the volume.
    """
    head = sorted(Path(sample.volumes_dir).iterdir())[0]
    volume = Compose([LoadImage(ensure_channel_first=True), Resize((SIDE, SIDE, SIDE))])(head)[0]
    folder.mkdir()
    nib.save(nib.Nifti1Image(np.asarray(volume, dtype=np.int16), np.eye(4)), folder / "large.nii.gz")
    return dataclasses.replace(sample, volumes_dir=str(folder), volume_slices=SIDE)
