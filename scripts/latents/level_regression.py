# SPDX-License-Identifier: Apache-2.0
"""The level of a mask that comes from no head."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.kernel_ridge import KernelRidge

from ..data.tissue_slices import one_hot

__all__ = ["LevelRegression"]

BLOCK = 2
"""Pixels of a block, each way; the shares of the tissues in blocks are what masks are compared by."""
RIDGE = 0.1
LARGEST = 4000
"""Training masks that are used, evenly spaced where there are more: their kernel is held in memory."""


class LevelRegression:
    r"""Kernel ridge regression of the level of real masks, :math:`\bar y + k(x)^T (K + \lambda I)^{-1} (y - \bar y)`.

    The kernel is Gaussian, :math:`\exp(-d^2 / m)` with m the median squared distance of the training masks. The
    estimate is smooth in the mask, unlike a mean over nearest neighbours, which jumps where one is replaced by another.

    Args:
        masks: values of :class:`scripts.attributes.Tissue`, ``(N, H, W)``.
        level: 0 to 1, ``(N,)``.
    """

    def __init__(self, masks: NDArray[np.uint8], level: NDArray[np.float64]) -> None:
        chosen = np.linspace(0, len(masks) - 1, min(len(masks), LARGEST)).astype(int)
        known = _shares(masks[chosen])
        width = max(float(np.median(cdist(known, known, "sqeuclidean"))), 1e-12)
        self._mean = float(level[chosen].mean())
        self._regression = KernelRidge(kernel="rbf", gamma=1 / width, alpha=RIDGE)
        self._regression.fit(known, level[chosen] - self._mean)

    def __call__(self, masks: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Level of masks ``(M, H, W)``: ``(M,)``, 0 to 1."""
        return (self._regression.predict(_shares(masks)) + self._mean).clip(0, 1)


def _shares(masks: NDArray[np.uint8]) -> NDArray[np.float64]:
    tissues = one_hot(torch.from_numpy(np.ascontiguousarray(masks)))[:, 1:]
    return F.avg_pool2d(tissues, BLOCK).flatten(1).double().numpy()
