# SPDX-License-Identifier: Apache-2.0
"""The slices of a volume as codes, and codes as a volume."""

from __future__ import annotations

import csv
from collections.abc import Hashable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.inferers import Inferer
from monai.transforms import Compose, MapTransform, ResampleToMatch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..data.slice_selection import BRAIN_AREA_MM2
from ..files.atomic import replacing
from ..inference.volume_item import VolumeLike, prepare
from .model import LatentModel, MaskModel

__all__ = ["DecodeSlicesd", "EncodeSlices", "SaveCodesd", "SliceCodes", "VolumeCoder"]

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
            codes: codes of the slices of a volume like this one.
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


class EncodeSlices(Inferer):
    """Encodes a volume; what :class:`DecodeSlicesd` and :class:`SaveCodesd` need.

    Args:
        coder: encodes the slices.
    """

    def __init__(self, coder: VolumeCoder) -> None:
        self.coder = coder

    def __call__(self, inputs: Tensor, network: Any = None, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """Codes of ``(1, 1, H, W, D)``: ``values`` ``(1, N, K)`` and ``slices`` ``(1, N)``; the network is the coder's.

        Raises:
            ValueError: no slice shows enough tissue.
        """
        volume: Any = inputs[0].cpu()  # a MetaTensor
        codes = self.coder.encode(volume)
        return {name: torch.from_numpy(array)[None] for name, array in codes._asdict().items()}


class DecodeSlicesd(MapTransform):
    """Decode codes to a volume on the grid of the input, as ``decoded``.

    Args:
        keys: codes of :class:`EncodeSlices`, of one volume of a decollated batch.
        coder: decodes the slices.
        image_key: preprocessed volume.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(
        self, keys: KeysCollection, coder: VolumeCoder, image_key: str = "image", allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.coder, self.image_key = coder, image_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Add the volume to ``data``."""
        d = dict(data)
        for key in self.key_iterator(d):
            codes = SliceCodes(**{name: values.numpy() for name, values in d[key].items()})
            d["decoded"] = self.coder.decode(codes, d[self.image_key].cpu())
        return d


class SaveCodesd(MapTransform):
    """Write codes as a table, a slice a row, beside the decoded volume: the same path with the ending ``.csv``.

    Args:
        keys: codes of :class:`EncodeSlices`, of one volume of a decollated batch.
        output_dir: folder of the results.
        table_key: further columns, by name, each with a value for every slice of the volume, coded or not.
        name_key: key of the relative path of the decoded volume.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | Path,
        table_key: str = "attributes",
        name_key: str = "output",
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.output_dir, self.table_key, self.name_key = Path(output_dir), table_key, name_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write, and return ``data`` as it came."""
        d = dict(data)
        for key in self.key_iterator(d):
            values, slices = (d[key][name].numpy() for name in SliceCodes._fields)
            further = d.get(self.table_key, {})
            path = self.output_dir / (d[self.name_key].removesuffix(".nii.gz") + ".csv")
            with replacing(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(["slice", *further, *(f"z{number}" for number in range(values.shape[1]))])
                for row, number in zip(values, slices, strict=True):
                    writer.writerow([number, *(f"{column[number]:.6g}" for column in further.values()), *row])
        return d
