# SPDX-License-Identifier: Apache-2.0
"""Networks, one architecture per file; ``blocks`` holds what they share.

``NETWORKS`` lists the autoencoders that accept images of any size divisible by their strides, ``THESIS_NETWORKS`` those
of the thesis among them. Those of :mod:`scripts.networks.latent` have a dense latent and a fixed image size;
:class:`SegmentationUNet` returns class probabilities.
"""

from __future__ import annotations

from torch import nn

from .compressive_autoencoder import CompressiveAutoencoder
from .error_spread import ErrorSpread
from .field_net import FieldNet
from .myronenko_cae import MyronenkoCAE
from .recon_resnet import ReconResNet
from .residual_unet import ResidualUNet
from .restorer_net import RestorerNet
from .segmentation_unet import SegmentationUNet
from .shallow_residual import ShallowResidualOriginal, ShallowResidualPreactivation
from .shuffle_unet import ShuffleUNet
from .skip_cae import SkipCAE
from .slab_unet import SlabUNet
from .thesis_network import ThesisNetwork
from .verdict_net import VerdictNet

__all__ = [
    "NETWORKS", "THESIS_NETWORKS", "CompressiveAutoencoder", "ErrorSpread", "FieldNet", "MyronenkoCAE",
    "ReconResNet", "ResidualUNet", "RestorerNet", "SegmentationUNet", "ShallowResidualOriginal",
    "ShallowResidualPreactivation", "ShuffleUNet", "SkipCAE", "SlabUNet", "ThesisNetwork", "VerdictNet",
]  # fmt: skip

THESIS_NETWORKS: dict[str, type[ThesisNetwork]] = {
    "shallow_residual_original": ShallowResidualOriginal,
    "shallow_residual_preactivation": ShallowResidualPreactivation,
    "skip_cae": SkipCAE,
    "myronenko_cae": MyronenkoCAE,
    "residual_unet": ResidualUNet,
}
"""The five networks of the thesis, in its order: name, as in ``configs/net`` and ``--network``, to class."""
NETWORKS: dict[str, type[nn.Module]] = {
    "compressive_autoencoder": CompressiveAutoencoder,
    **dict(sorted(THESIS_NETWORKS.items())),
}
"""Classes by name, as in ``configs/net`` and ``--network``."""
