# SPDX-License-Identifier: Apache-2.0
"""Autoencoders whose latent is a single vector.

Their image size is fixed at construction, so they are not among ``NETWORKS``.
"""

from __future__ import annotations

from .dense_autoencoder import DenseAutoencoder, JointLatents, Latents
from .joint_autoencoder import JointAutoencoder
from .variational_autoencoder import VariationalAutoencoder

__all__ = ["DenseAutoencoder", "JointAutoencoder", "JointLatents", "Latents", "VariationalAutoencoder"]
