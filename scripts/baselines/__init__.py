# SPDX-License-Identifier: Apache-2.0
"""What a network has to beat: the input as it is and two classical filters."""

from .identity import identity
from .median import median
from .non_local_means import NonLocalMeans, noise_level

__all__ = ["NonLocalMeans", "identity", "median", "noise_level"]
