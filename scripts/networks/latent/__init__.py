# SPDX-License-Identifier: Apache-2.0
"""Autoencoders whose latent is one vector: a size of image is fixed with the network, so they are no ``NETWORKS``."""

from __future__ import annotations

from .dense_autoencoder import DenseAutoencoder
from .joint_autoencoder import JointAutoencoder
from .latents import JointLatents, Latents
from .variational_autoencoder import VariationalAutoencoder

__all__ = ["DenseAutoencoder", "JointAutoencoder", "JointLatents", "Latents", "VariationalAutoencoder"]
