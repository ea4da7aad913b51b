# SPDX-License-Identifier: Apache-2.0
"""Principal components: the best linear code of the training slices, onto which damaged slices are projected."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from ..data.cohort import load_cohort, load_datalist
from ..data.slices import SliceDataset

__all__ = ["PCA", "fit_pca", "training_pca"]

RANDOMISED_SHARE = 0.25
"""From this share of all components on the exact decomposition is about as fast as the randomised one."""


class PCA:
    """A linear autoencoder: coefficients of orthonormal components, and their sum.

    Args:
        mean: mean image, shape ``(1, H, W)``.
        components: orthonormal components, the strongest first, shape ``(K, H * W)``.
    """

    def __init__(self, mean: Tensor, components: Tensor) -> None:
        self.mean = mean
        self.components = components

    def encode(self, images: Tensor) -> Tensor:
        """Coefficients ``(N, K)`` of images of any size ``(N, 1, h, w)``, centred on the components' grid."""
        return (self._pad(images, *self.mean.shape[-2:]) - self.mean).flatten(1) @ self.components.T

    def decode(self, coefficients: Tensor) -> Tensor:
        """Images ``(N, 1, H, W)`` of coefficients ``(N, K)``."""
        return (coefficients @ self.components).view(-1, *self.mean.shape) + self.mean

    def __call__(self, images: Tensor) -> Tensor:
        """Project ``images`` of shape ``(N, 1, h, w)`` onto the components; any device."""
        restored = self.decode(self.encode(images.to(self.mean)))
        return self._pad(restored, *images.shape[-2:]).to(images)

    @staticmethod
    def _pad(images: Tensor, height: int, width: int) -> Tensor:
        """Pad with zeros, or cut where negative, around the centre."""
        rows, columns = height - images.shape[-2], width - images.shape[-1]
        return F.pad(images, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))


def fit_pca(images: Tensor, num_components: int, seed: int = 0) -> PCA:
    """Find the principal components of images.

    Args:
        images: shape ``(N, 1, H, W)``.
        num_components: number of components, less than ``N``.
        seed: seed of the randomised decomposition, which is used for few components.

    Raises:
        ValueError: ``num_components`` is 0 or not less than ``N``.

    References:
        Halko, Martinsson and Tropp, Finding structure with randomness, SIAM Review 53(2), 2011 (arXiv:0909.4061), as in
        ``torch.svd_lowrank``.
    """
    if not 0 < num_components < len(images):
        raise ValueError(
            f"{len(images)} images have 1 to {len(images) - 1} principal components, {num_components} were asked for."
        )
    mean = images.mean(dim=0)
    centred = (images - mean).flatten(1)  # (N, pixels)
    if num_components < RANDOMISED_SHARE * len(images):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            components = torch.svd_lowrank(centred, q=num_components + 10, niter=2)[2]  # (pixels, K + 10)
    else:
        # the eigenvectors of the images' inner products: ten times as fast as the singular value decomposition
        combinations = torch.linalg.eigh(centred @ centred.T)[1].flip(1)[:, :num_components]  # (N, K)
        components = torch.linalg.qr(centred.T @ combinations)[0]
    return PCA(mean, components[:, :num_components].T.contiguous())


def training_pca(
    dataset_dir: str | os.PathLike[str],
    transform: Callable[[Any], Any],
    compression: float = 1 / 16,
    max_slices: int = 8192,
    num_workers: int = 2,
    cache_dir: str | os.PathLike[str] = "",
    device: torch.device | str = "cpu",
) -> PCA | None:
    """Principal components of a cohort's training slices, clean, in the space of the network.

    Args:
        dataset_dir: folder of the cohort.
        transform: transform from an item to a volume, as for training.
        compression: components per pixel; 1/16 is 900 for slices of 120 x 120.
        max_slices: largest number of slices, evenly spaced if there are more.
        num_workers: number of threads that read volumes.
        cache_dir: folder of the prepared slices, as for training.
        device: device of the decomposition.

    Returns:
        The components; ``None`` for a cohort without training subjects.
    """
    if not load_cohort(dataset_dir)["training"]:
        return None
    training = load_datalist(dataset_dir, "training")
    dataset = SliceDataset(training, transform, num_workers=num_workers, cache_dir=cache_dir)
    kept = torch.linspace(0, len(dataset) - 1, min(len(dataset), max_slices)).long()
    images = dataset.__getitems__(kept.tolist())["image"].to(device)
    wanted = round(compression * images[0].numel())
    if wanted >= len(images):
        tqdm.write(f"PCA: {len(images)} training slices have no {wanted} components, so {len(images) - 1} are used.")
    return fit_pca(images, min(wanted, len(images) - 1))
