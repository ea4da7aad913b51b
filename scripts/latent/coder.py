# SPDX-License-Identifier: Apache-2.0
"""Codes of the slices of one image, and an image of codes, by the name of a recipe."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import nibabel as nib
import numpy as np
from monai.transforms import Compose, LoadImaged
from numpy.typing import ArrayLike

from ..files.nifti_image import nifti_image
from ..inference.volume_item import VolumeLike
from ..networks.latent import DenseAutoencoder
from ..recipes.places import PUBLISHED
from ..recipes.trained import TrainedRecipe
from ..tissue.slices import tissue_transforms
from ..transforms.check_volume import CheckVolumed
from ..transforms.load_volume import LoadVolumed
from .model import LatentModel, MaskModel
from .volumes import SliceCodes, VolumeCoder

__all__ = ["decode", "encode", "recipe_coder"]


def encode(
    image: VolumeLike,
    recipe: str = "vae",
    affine: ArrayLike | None = None,
    weights: str | None = None,
    device: str = "cpu",
) -> SliceCodes:
    """Encode the slices of a volume.

    Args:
        image: path of a NIfTI, MHA or NRRD file or of a folder with one DICOM series, nibabel image, or array
            ``(X, Y, Z)``: a T1-weighted head, or region labels for a recipe of tissue masks.
        recipe: "vae" (sagittal slices, 64 numbers), "ar_vae" (axial tissue masks, 16 numbers of which the first six
            follow attributes), or another one whose network has a code of one vector.
        affine: affine of an array, ``(4, 4)``, voxel indices to millimetres, RAS.
        weights: ``model.pt`` of a training of the recipe. Defaults to the shipped weights, or else those of
            ``eval/RECIPE``.
        device: device of the network.

    Returns:
        Means of the codes, and the numbers of the slices that show enough tissue.

    Raises:
        FileNotFoundError: there is no such file, or there are no weights.
        TypeError: the image is of another type.
        ValueError: the image cannot be used, there is no such recipe, or it has no code of one vector.

    Example:
        >>> codes = brain_ae.encode(brain_ae.demo_head())
        >>> codes.values.shape, round(float(codes.values.std()), 2)
        ((85, 64), 1.39)
    """
    coder = _kept(recipe, weights, device)
    return coder.encode(coder.prepared(image, affine))


def decode(
    codes: SliceCodes,
    like: VolumeLike,
    recipe: str = "vae",
    affine: ArrayLike | None = None,
    weights: str | None = None,
    device: str = "cpu",
) -> nib.Nifti1Image:
    """Decode slices into a volume.

    Args:
        codes: codes from :func:`encode`, possibly moved or mixed.
        like: the volume that was encoded, or another one: the result is on its grid and intensity scale.
        recipe: see :func:`encode`.
        affine: affine of an array, see :func:`encode`.
        weights: see :func:`encode`.
        device: see :func:`encode`.

    Returns:
        NIfTI image, float32; for a recipe of tissue masks their classes, uint8. Slices without a code are background.

    Raises:
        FileNotFoundError: see :func:`encode`.
        TypeError: see :func:`encode`.
        ValueError: see :func:`encode`; the codes are not of this recipe, or of slices that ``like`` lacks.

    Example:
        >>> head = brain_ae.demo_head()
        >>> decoded = brain_ae.decode(brain_ae.encode(head), like=head)
        >>> round(brain_ae.psnr(decoded, head), 1)
        12.5
    """
    coder = _kept(recipe, weights, device)
    volume = coder.decode(codes, coder.prepared(like, affine))
    dtype = np.uint8 if isinstance(coder.model, MaskModel) else np.float32
    return nifti_image(volume.numpy()[0].astype(dtype), volume.affine.numpy(), volume.meta)


def recipe_coder(trained: TrainedRecipe) -> VolumeCoder:
    """The coder of a trained recipe, with the preprocessing of its training.

    Raises:
        FileNotFoundError: there are no weights.
        ValueError: the recipe's network has no code of one vector, or the weights are of another one.
    """
    network = trained.network
    if not isinstance(network, DenseAutoencoder):
        raise ValueError(
            f"recipe {trained.name} has no code of one vector. Choose one of slices, such as vae, or of tissue masks, "
            "such as ar_vae."
        )
    dataset: dict[str, Any] = trained.config["train"]["dataset"]
    if "attributes" not in dataset:
        return VolumeCoder(LatentModel(network, trained.device), _loading("image", trained.part("train#preprocessing")))
    steps = tissue_transforms(trained.config["plane"], size=dataset["size"], centre=dataset["centre"])
    return VolumeCoder(MaskModel(network, trained.device), _loading("label", steps), "label", dataset["min_area_mm2"])


def _loading(key: str, preprocessing: Compose) -> Compose:
    """The same with the loader of single images."""
    steps = [step for step in preprocessing.transforms if not isinstance(step, LoadImaged)]
    return Compose([LoadVolumed(key), CheckVolumed(key), *steps])


@lru_cache(maxsize=2)
def _kept(recipe: str, weights: str | None, device: str) -> VolumeCoder:
    shipped = PUBLISHED / recipe / "model.pt"
    if weights is None and shipped.is_file():
        weights = str(shipped)
    return recipe_coder(TrainedRecipe(recipe, weights, device))
