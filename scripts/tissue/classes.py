# SPDX-License-Identifier: Apache-2.0
"""The four tissue classes of a mask, and the region labels that belong to each."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from enum import IntEnum
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.config import KeysCollection
from monai.transforms import MapTransform
from torch import Tensor

from ..anatomy.label_sets import MUSE, LabelSet, known_label_sets, label_values, recognised_labels

__all__ = ["MUSE_TISSUES", "TISSUES", "Tissue", "TissueClassesd", "one_hot", "tissue_classes"]


class Tissue(IntEnum):
    """Class of a pixel. All classes above zero are brain (the total brain, composite 701, of the MUSE table)."""

    BACKGROUND = 0  # air, skull, and the fluid of sulci and cisterns
    VENTRICLE = 1
    GREY = 2  # cortex, deep nuclei, cerebellar cortex
    WHITE = 3  # with the brainstem


TISSUES = {tissue.name.lower(): tissue for tissue in Tissue if tissue is not Tissue.BACKGROUND}
"""The classes of the brain, by name."""


def _tissue_table(labels: LabelSet) -> dict[Tissue, tuple[int, ...]]:
    """Region labels of a numbering for each class."""
    kinds = ({0} | labels.fluid, labels.ventricle, labels.grey, labels.white)
    return {tissue: tuple(sorted(numbers)) for tissue, numbers in zip(Tissue, kinds, strict=True)}


MUSE_TISSUES = _tissue_table(MUSE)
"""Region labels of MUSE and DLMUSE for each class, see :data:`scripts.anatomy.label_sets.MUSE`."""


def tissue_classes(labels: Tensor, table: Mapping[Tissue, Sequence[int]] | None = None) -> Tensor:
    """Replace region labels by tissue classes.

    MONAI's ``MapLabelValue`` would leave a label that is not in the table unchanged, and so take region 3 for class 3.

    Args:
        labels: region labels, whole numbers >= 0, any shape (a ``MetaTensor`` stays one).
        table: region labels of each class; by default those of the numbering that the labels are recognised to be of
            (:mod:`scripts.anatomy.label_sets`), or else of MUSE.

    Returns:
        Values of :class:`Tissue`, uint8, shape of ``labels``.

    Raises:
        ValueError: a label is not in the table.

    Example:
        >>> tissue_classes(torch.tensor([0, 51, 100, 81])).tolist()
        [0, 1, 2, 3]
    """
    found = label_values(labels.cpu().numpy())
    if table is None:
        table = _tissue_table(recognised_labels(found) or MUSE)
    known = {region: tissue for tissue, regions in table.items() for region in regions}
    if unknown := [f"{value:g}" for value in found if value not in known]:
        raise ValueError(
            f"region labels {', '.join(unknown[:5])} are not in the table of tissues. The labels must be those of "
            f"{known_label_sets()}; give another table (label ids of each tissue) for another atlas."
        )
    lookup = torch.zeros(max(known) + 1, dtype=torch.uint8, device=labels.device)
    for region, tissue in known.items():
        lookup[region] = int(tissue)
    classes = labels.clone()
    classes[...] = lookup[labels.as_subclass(Tensor).long()]
    return classes.to(torch.uint8)


def one_hot(classes: Tensor) -> Tensor:
    """Classes ``(B, *spatial)`` as ``(B, len(Tissue), *spatial)`` float32."""
    return F.one_hot(classes.long(), len(Tissue)).movedim(-1, 1).float().contiguous()


class TissueClassesd(MapTransform):
    """Dictionary form of :func:`tissue_classes`.

    Args:
        keys: region labels, any shape.
        table: region labels of each class, see :func:`tissue_classes`.
        masks: take a volume that has only values of :class:`Tissue` as it is: a mask of tissues, not of regions.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        table: Mapping[Tissue, Sequence[int]] | None = None,
        masks: bool = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.table = table
        self.masks = masks

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace the labels under ``keys``."""
        d = dict(data)
        for key in self.key_iterator(d):
            if self.masks and set(np.unique(d[key].cpu().numpy())) <= set(Tissue):
                d[key] = d[key].to(torch.uint8)
            else:
                d[key] = tissue_classes(d[key], self.table)
        return d
