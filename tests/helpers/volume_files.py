# SPDX-License-Identifier: Apache-2.0
"""Small volumes on disk for the tests."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from monai.utils import optional_import

itk, _ = optional_import("itk")  # the tests on a GPU need none

SERIES = "1.2.826.0.1.3680043.2.1125."


def head(shape: tuple[int, int, int] = (17, 22, 19), seed: int = 0) -> np.ndarray:
    """A bright noisy ellipsoid on an exact-zero background, float32."""
    rng = np.random.default_rng(seed)
    axes = np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij")
    inside = sum(axis**2 for axis in axes) < 0.9
    return np.where(inside, 500 + 200 * axes[0] + rng.normal(0, 30, shape), 0).astype(np.float32)


def affine(codes: str = "PSR", spacing: tuple[float, float, float] = (2.0, 2.0, 2.0), tilt: float = 0.0) -> np.ndarray:
    """Affine of the given axis directions and voxel sizes (mm), turned by ``tilt`` (radians) about the first axis."""
    ornt = nib.orientations.axcodes2ornt(codes)
    matrix = np.zeros((3, 3))
    for column, (axis, sign) in enumerate(ornt):
        matrix[int(axis), column] = sign * spacing[column]
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    return nib.affines.from_matvec(turn @ matrix, [12.5, -31.0, 7.25])


def write_nifti(path: Path, volume: np.ndarray | None = None, matrix: np.ndarray | None = None) -> Path:
    """Write a NIfTI file; the default is a 2 mm head."""
    path.parent.mkdir(parents=True, exist_ok=True)
    volume = head() if volume is None else volume
    nib.save(nib.Nifti1Image(volume, affine() if matrix is None else matrix), path)
    return path


def write_itk(path: Path, volume: np.ndarray, components: bool = False) -> Path:
    """Write an MHA or NRRD file, 2 mm; ``components`` makes the last axis colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = itk.image_from_array(np.ascontiguousarray(np.moveaxis(volume, (0, 1, 2), (2, 1, 0))), is_vector=components)
    image.SetSpacing([2.0] * image.GetImageDimension())
    itk.imwrite(image, str(path))
    return path


def write_series(
    folder: Path, volume: np.ndarray, series: int = 1, skip: tuple[int, ...] = (), name: str = "{:03d}.dcm"
) -> Path:
    """Write a DICOM series, one axial slice a file, 2 mm; ``skip`` leaves slices out."""
    folder.mkdir(parents=True, exist_ok=True)
    io = itk.GDCMImageIO.New(KeepOriginalUID=True)
    for k in range(volume.shape[2]):
        if k in skip:
            continue
        pixels = np.ascontiguousarray(volume[:, :, k].T[None]).astype(np.int16)
        image = itk.image_from_array(pixels)
        image.SetSpacing([2.0, 2.0, 2.0])
        image.SetOrigin([-10.0, -20.0, 5.0 + 2.0 * k])
        dictionary = image.GetMetaDataDictionary()
        for tag, value in {
            "0008|0060": "MR",
            "0020|000d": SERIES + "9",
            "0020|000e": f"{SERIES}{series}",
            "0020|0011": str(series),
            "0020|0013": str(k + 1),
            "0008|0018": f"{SERIES}{series}.{k + 1}",
            "0020|0032": f"-10\\-20\\{5 + 2 * k}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0018|0050": "2",
        }.items():
            dictionary[tag] = value
        itk.imwrite(image, str(folder / name.format(k)), imageio=io)
    return folder
