# SPDX-License-Identifier: Apache-2.0
"""Networks, one architecture per file; ``blocks`` holds what they share.

``NETWORKS`` lists the autoencoders that accept images of any size divisible by their strides. Those of
:mod:`scripts.networks.latent` have a dense latent and a fixed image size; :class:`SegmentationUNet` returns class
probabilities.
"""

from __future__ import annotations

from torch import nn

from .compressive_autoencoder import CompressiveAutoencoder
from .myronenko_cae import MyronenkoCAE
from .residual_unet import ResidualUNet
from .segmentation_unet import SegmentationUNet
from .shallow_residual import ShallowResidualOriginal, ShallowResidualPreactivation
from .skip_cae import SkipCAE

__all__ = [
    "NETWORKS",
    "CompressiveAutoencoder",
    "MyronenkoCAE",
    "ResidualUNet",
    "SegmentationUNet",
    "ShallowResidualOriginal",
    "ShallowResidualPreactivation",
    "SkipCAE",
]

NETWORKS: dict[str, type[nn.Module]] = {
    "compressive_autoencoder": CompressiveAutoencoder,
    "myronenko_cae": MyronenkoCAE,
    "residual_unet": ResidualUNet,
    "shallow_residual_original": ShallowResidualOriginal,
    "shallow_residual_preactivation": ShallowResidualPreactivation,
    "skip_cae": SkipCAE,
}
"""Classes by name, as in ``configs/net`` and ``--network``."""
