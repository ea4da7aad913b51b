# SPDX-License-Identifier: Apache-2.0
"""What a network has to beat: the unchanged input, classical filters, inpainting and the best linear code."""

from .filters import Biharmonic, NonLocalMeans, identity, median, noise_level
from .pca import PCA, fit_pca, training_pca

__all__ = ["PCA", "Biharmonic", "NonLocalMeans", "fit_pca", "identity", "median", "noise_level", "training_pca"]
