# SPDX-License-Identifier: Apache-2.0
"""Datasets for training: tissue masks with their attributes, and T1-weighted slices with their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from ..data.slices import subject_key
from .attributes import attribute_table
from .classes import one_hot
from .slices import TissueSlices, load_tissue_slices

__all__ = ["ImageMaskDataset", "TissueSliceDataset", "one_hot"]


class _SliceDataset(Dataset):
    """Slices of tissue masks, read one by one or in whole batches.

    Args:
        tissue: the slices with level, subject and spacing.
    """

    def __init__(self, tissue: TissueSlices) -> None:
        self.tissue = tissue
        self.classes = torch.from_numpy(tissue.classes)  # (N, H, W) uint8
        self.subjects = torch.tensor([subject_key(str(subject)) for subject in tissue.subject])
        self.slices = torch.from_numpy(tissue.index)

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """One slice, the only row of a batch."""
        return {name: values[0] for name, values in self.__getitems__([range(len(self))[index]]).items()}

    def __getitems__(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """A whole batch, as :func:`scripts.data.slices.identity_collate` passes it on."""
        raise NotImplementedError


class TissueSliceDataset(_SliceDataset):
    """Tissue masks of the slices of a cohort, made from its label volumes, and the attributes of each.

    Args:
        data: items with ``subject`` and ``label``, as :func:`scripts.data.cohort.load_datalist` gives them. Which
            slices they list does not matter: all that show enough brain in ``plane`` are used.
        attributes: names from :data:`scripts.tissue.ATTRIBUTES`, in the order of the latent dimensions.
        progress: whether to show a progress bar.
        **grid: plane, spacing and size, see :func:`scripts.tissue.load_tissue_slices`.

    Attributes:
        tissue: slices with level, subject and spacing, :class:`scripts.tissue.TissueSlices`.
        names: names of the attributes.
        attributes: values ``(N, L)`` float32 in their units, NaN where undefined.

    Raises:
        ValueError: an attribute is unknown, or a label file is missing or unusable.
    """

    def __init__(
        self, data: Sequence[Mapping[str, Any]], attributes: Sequence[str], progress: bool = True, **grid: Any
    ) -> None:
        super().__init__(load_tissue_slices(data, progress=progress, **grid))
        self.names = tuple(attributes)
        table = attribute_table(self.tissue.classes, self.tissue.spacing_mm, self.tissue.level, self.names)
        self.attributes = torch.from_numpy(table).float()

    def __getitems__(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Batch: ``image`` ``(B, C, H, W)`` one-hot, ``attributes`` ``(B, L)``, ``subject`` and ``slice`` integers."""
        rows = torch.as_tensor(indices)
        return {
            "image": one_hot(self.classes[rows]),
            "attributes": self.attributes[rows],
            "subject": self.subjects[rows],
            "slice": self.slices[rows],
        }


class ImageMaskDataset(_SliceDataset):
    """T1-weighted slices of a cohort with the tissue masks made from its label volumes, on one grid.

    Args:
        data: items with ``subject``, ``image`` and ``label``, as :func:`scripts.data.cohort.load_datalist` gives them.
            Which slices they list does not matter: all that show enough brain in ``plane`` are used.
        progress: whether to show a progress bar.
        **grid: plane, spacing and size, see :func:`scripts.tissue.load_tissue_slices`.

    Attributes:
        tissue: masks and images with level, subject and spacing, :class:`scripts.tissue.TissueSlices`.
        images: slices ``(N, 1, H, W)`` float32, 1 = the 99.5th percentile of the volume.
        classes: masks ``(N, H, W)`` uint8.

    Raises:
        ValueError: a file is missing or unusable.
    """

    def __init__(self, data: Sequence[Mapping[str, Any]], progress: bool = True, **grid: Any) -> None:
        super().__init__(load_tissue_slices(data, progress=progress, images=True, **grid))
        self.images = torch.as_tensor(self.tissue.images)[:, None]

    def __getitems__(self, indices: Sequence[int]) -> dict[str, Tensor]:
        """Batch: ``image`` ``(B, 1, H, W)``, ``label`` ``(B, C, H, W)`` one-hot, ``subject`` and ``slice`` integers."""
        rows = torch.as_tensor(indices)
        return {
            "image": self.images[rows],
            "label": one_hot(self.classes[rows]),
            "subject": self.subjects[rows],
            "slice": self.slices[rows],
        }
