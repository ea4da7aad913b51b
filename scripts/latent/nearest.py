# SPDX-License-Identifier: Apache-2.0
"""Comparison of generated images with the training images: the nearest ones, and the level of a mask among them.

The nearest training image of a sample shows whether it is a copy.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.kernel_ridge import KernelRidge

from ..tissue.datasets import one_hot

__all__ = ["LevelRegression", "nearest_masks", "nearest_slices"]

CHUNK = 512
"""Images that are compared at a time."""
BLOCK = 2
"""Side of the blocks of pixels in which the shares of the tissues are compared."""
RIDGE = 0.1
LARGEST = 4000
"""Largest number of training masks, evenly spaced if there are more: their kernel matrix is held in memory."""


def nearest_masks(
    masks: NDArray[np.uint8], training: NDArray[np.uint8], count: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each mask, the training masks that agree with it in most pixels.

    Args:
        masks: tissue masks, values of :class:`scripts.tissue.Tissue`, ``(M, H, W)``.
        training: training masks ``(N, H, W)``.
        count: number of training masks to find for each mask.

    Returns:
        Their indices ``(M, count)``, the nearest first (fewer columns if there are not as many), and the share of
        pixels in which a mask differs from the nearest, of those that are brain in either, ``(M,)``: 0 for a copy.
    """
    known = one_hot(torch.from_numpy(training)).flatten(1).half()
    indices, shares = [], []
    for start in range(0, len(masks), CHUNK):
        part = torch.from_numpy(np.ascontiguousarray(masks[start : start + CHUNK]))
        agreeing = torch.cat([one_hot(part).flatten(1) @ block.float().T for block in known.split(4 * CHUNK)], 1)
        best = agreeing.topk(min(count, len(training)), dim=1).indices
        nearest = torch.from_numpy(training[best[:, 0].numpy()])
        brain = ((part > 0) | (nearest > 0)).flatten(1).sum(1).clamp(min=1)
        indices.append(best)
        shares.append((part != nearest).flatten(1).sum(1).double() / brain)
    if not indices:
        return np.zeros((0, count), np.int64), np.zeros(0)
    return torch.cat(indices).numpy(), torch.cat(shares).numpy()


def nearest_slices(
    slices: NDArray[np.floating], training: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each slice, the training slice with the smallest squared difference.

    Args:
        slices: slices ``(M, H, W)``.
        training: training slices ``(N, H, W)``.

    Returns:
        Its index, and the root mean squared difference, both ``(M,)``.
    """
    given = torch.from_numpy(np.asarray(slices, np.float32)).flatten(1)
    best = torch.full((len(given),), torch.inf, dtype=torch.float64)
    index = torch.zeros(len(given), dtype=torch.int64)
    for start in range(0, len(training), CHUNK):
        known = torch.from_numpy(np.asarray(training[start : start + CHUNK], np.float32)).flatten(1)
        squared = torch.cdist(given, known).double().square() / given.shape[1]
        nearest = squared.min(1)
        closer = nearest.values < best
        best[closer], index[closer] = nearest.values[closer], start + nearest.indices[closer]
    return index.numpy(), best.sqrt().numpy()


class LevelRegression:
    r"""Kernel ridge regression of the level of a mask, :math:`\bar y + k(x)^T (K + \lambda I)^{-1} (y - \bar y)`.

    The kernel is Gaussian, :math:`\exp(-d^2 / m)` with m the median squared distance of the training masks. The
    estimate is smooth in the mask, unlike a mean over nearest neighbours, which jumps where one is replaced by another.

    Args:
        masks: training masks, values of :class:`scripts.tissue.Tissue`, ``(N, H, W)``.
        level: level of each training mask, 0 to 1, ``(N,)``.
    """

    def __init__(self, masks: NDArray[np.uint8], level: NDArray[np.float64]) -> None:
        chosen = np.linspace(0, len(masks) - 1, min(len(masks), LARGEST)).astype(int)
        known = _shares(masks[chosen])
        width = max(float(np.median(cdist(known, known, "sqeuclidean"))), 1e-12)
        self._mean = float(level[chosen].mean())
        self._regression = KernelRidge(kernel="rbf", gamma=1 / width, alpha=RIDGE)
        self._regression.fit(known, level[chosen] - self._mean)

    def __call__(self, masks: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Levels ``(M,)`` of masks ``(M, H, W)``, 0 to 1."""
        return (self._regression.predict(_shares(masks)) + self._mean).clip(0, 1)


def _shares(masks: NDArray[np.uint8]) -> NDArray[np.float64]:
    tissues = one_hot(torch.from_numpy(np.ascontiguousarray(masks)))[:, 1:]
    return F.avg_pool2d(tissues, BLOCK).flatten(1).double().numpy()
