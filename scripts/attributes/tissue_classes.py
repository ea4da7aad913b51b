# SPDX-License-Identifier: Apache-2.0
"""From region labels to tissue classes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform
from torch import Tensor

from .tissue import MUSE_TISSUES, Tissue

__all__ = ["TissueClassesd", "tissue_classes"]


def tissue_classes(labels: Tensor, table: Mapping[Tissue, Sequence[int]] = MUSE_TISSUES) -> Tensor:
    """Replace region labels by tissue classes.

    MONAI's ``MapLabelValue`` would leave a label that is not in the table as it is, and so take region 3 for class 3.

    Args:
        labels: whole numbers from 0 on, any shape (a ``MetaTensor`` stays one).
        table: the labels of each class.

    Returns:
        Values of :class:`Tissue`, uint8, shape of ``labels``.

    Raises:
        ValueError: there are labels that are no whole numbers from 0 on, or not in the table.

    Example:
        >>> tissue_classes(torch.tensor([0, 51, 100, 81])).tolist()
        [0, 1, 2, 3]
    """
    found = np.unique(labels.cpu().numpy())
    known = {region: tissue for tissue, regions in table.items() for region in regions}
    if unknown := [f"{value:g}" for value in found if value not in known]:
        raise ValueError(
            f"region labels {', '.join(unknown[:5])} are not in the table of tissues. The labels must be those of "
            "MUSE; give another table (label ids of each tissue) for another atlas."
        )
    lookup = torch.zeros(max(known) + 1, dtype=torch.uint8, device=labels.device)
    for region, tissue in known.items():
        lookup[region] = int(tissue)
    classes = labels.clone()
    classes[...] = lookup[labels.as_subclass(Tensor).long()]
    return classes.to(torch.uint8)


class TissueClassesd(MapTransform):
    """Dictionary form of :func:`tissue_classes`.

    Args:
        keys: region labels, any shape.
        table: the labels of each class.
        allow_missing_keys: skip a key that is absent.
    """

    def __init__(
        self,
        keys: KeysCollection,
        table: Mapping[Tissue, Sequence[int]] = MUSE_TISSUES,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.table = table

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace what is under ``keys``."""
        d = dict(data)
        for key in self.key_iterator(d):
            d[key] = tissue_classes(d[key], self.table)
        return d
