# SPDX-License-Identifier: Apache-2.0
"""The slices of one volume as codes, and codes as a volume."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
import torch
from monai.data import MetaTensor
from monai.transforms import Compose, LoadImaged, ResampleToMatch
from numpy.typing import ArrayLike, NDArray

from ..data.slice_selection import BRAIN_AREA_MM2
from ..inference.volume_item import VolumeLike, prepare
from ..networks.latent import DenseAutoencoder
from ..recipes.places import PUBLISHED
from ..recipes.trained import TrainedRecipe
from ..tissue.slices import tissue_transforms
from ..transforms.check_volume import CheckVolumed
from ..transforms.load_volume import LoadVolumed
from ..transforms.save_restored import nifti_image
from .model import LatentModel, MaskModel

__all__ = ["SliceCodes", "VolumeCoder", "decode", "encode", "recipe_coder"]

BRIGHT = 0.1
"""Share of the 99.5th percentile above which a pixel shows tissue; classes of tissue are above it, too."""


class SliceCodes(NamedTuple):
    """Codes of the slices of a volume.

    Attributes:
        values: a code a row, ``(N, K)``.
        slices: numbers of the slices that they are of, ``(N,)``: of heads along the plane's third axis (see
            :data:`~scripts.transforms.PLANE_AXCODES`), of tissue masks from the first slice that shows brain.
    """

    values: NDArray[np.float32]
    slices: NDArray[np.int64]


class VolumeCoder:
    """An autoencoder of slices, used on whole volumes.

    Args:
        model: the autoencoder; a :class:`~scripts.latent.model.MaskModel` for tissue masks.
        preprocessing: from an item (see :func:`~scripts.inference.volume_item.volume_item`) to a volume
            ``(1, H, W, D)`` of the network's size with the slices along the last axis, all steps invertible where
            the model is of images.
        key: entry of the item.
        min_area_mm2: smallest area of tissue in a slice that is given a code; networks have seen no slice of air.
    """

    def __init__(
        self, model: LatentModel, preprocessing: Compose, key: str = "image", min_area_mm2: float = BRAIN_AREA_MM2
    ) -> None:
        self.model, self.preprocessing, self.key, self.min_area_mm2 = model, preprocessing, key, min_area_mm2

    def prepared(self, image: VolumeLike, affine: ArrayLike | None = None) -> MetaTensor:
        """Load and preprocess a volume, ``(1, H, W, D)``.

        Raises:
            FileNotFoundError: there is no such file.
            TypeError: the image is of another type.
            ValueError: the image cannot be used.
        """
        return prepare(self.preprocessing, image, affine, self.key)[self.key]

    def encode(self, volume: MetaTensor) -> SliceCodes:
        """Codes of the slices of a prepared volume.

        Raises:
            ValueError: no slice shows enough tissue.
        """
        images = volume.numpy()[0].transpose(2, 0, 1)  # (D, H, W)
        pixel_mm2 = float(volume.pixdim[0] * volume.pixdim[1])
        slices = np.flatnonzero((images > BRIGHT).sum((1, 2)) * pixel_mm2 >= self.min_area_mm2)
        if not len(slices):
            raise ValueError(f"no slice shows {self.min_area_mm2:.0f} mm2 of tissue: is it a whole head?")
        return SliceCodes(self.model.encode(images[slices]), slices)

    def decode(self, codes: SliceCodes, like: MetaTensor) -> MetaTensor:
        """Volume of codes on the grid that a prepared volume came on.

        Args:
            codes: of slices of a volume like this one.
            like: prepared volume.

        Returns:
            ``(1, X, Y, Z)``: images in the unit of the input, or classes of tissue; slices without a code and what
            lies outside of the network's frame are background.

        Raises:
            ValueError: the codes have another size than the network's, or are of slices that the volume lacks.
        """
        values, slices = np.asarray(codes.values, np.float32), np.asarray(codes.slices)
        size, count = self.model.network.latent_size, like.shape[-1]
        if values.shape != (len(slices), size):
            raise ValueError(
                f"codes of {len(slices)} slices must have the shape ({len(slices)}, {size}), got {values.shape}."
            )
        if len(slices) and not 0 <= slices.min() <= slices.max() < count:
            raise ValueError(f"codes are of slices {slices.min()} to {slices.max()}, and the volume has {count}.")
        channels = np.moveaxis(self.model.channels(values), 0, 3)  # (C, H, W, N)
        frame = np.zeros((*channels.shape[:3], count), np.float32)
        frame[..., slices] = channels
        operations = deepcopy(like.applied_operations)  # the inverse takes them apart
        volume = MetaTensor(torch.from_numpy(frame), meta=dict(like.meta), applied_operations=operations)
        return self._on_input_grid(volume)

    def _on_input_grid(self, volume: MetaTensor) -> MetaTensor:
        if not isinstance(self.model, MaskModel):
            return self.preprocessing.inverse({self.key: volume})[self.key]
        shape, affine = volume.meta["spatial_shape"], volume.meta["original_affine"]
        grid = MetaTensor(torch.empty(1, *map(int, shape)), affine=torch.as_tensor(affine))
        shares: Any = ResampleToMatch(mode="bilinear", padding_mode="zeros")(volume, grid)
        return shares.argmax(0, keepdim=True)


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
        affine: of an array, ``(4, 4)``, voxel indices to millimetres, RAS.
        weights: ``model.pt`` of a training of the recipe. Defaults to the shipped weights, or else those of
            ``eval/RECIPE``.
        device: where the network runs.

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
        codes: what :func:`encode` returned, moved or mixed as you like.
        like: the volume that was encoded, or another one: the result is on its grid and intensity scale.
        recipe: see :func:`encode`.
        affine: of an array, see :func:`encode`.
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
