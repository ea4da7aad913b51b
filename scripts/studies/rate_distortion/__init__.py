# SPDX-License-Identifier: Apache-2.0
"""Rate and distortion: how many values and bits a code needs, and what is left of the image.

Read in this order: ``codec`` (what a codec is), ``latent_codec`` and ``quantiser`` (values to bits), ``measure``.
"""

from .classical import BlockPCA, Jpeg2000, fit_block_pca
from .codec import Codec, Coded
from .codecs import make_codecs
from .latent_codec import LatentCodec, UniformQuantiser, fit_latent_codec, fit_quantiser
from .measure import measure_codecs
from .plain_network import PlainNetwork, transferred_values

__all__ = [
    "BlockPCA",
    "Codec",
    "Coded",
    "Jpeg2000",
    "LatentCodec",
    "PlainNetwork",
    "UniformQuantiser",
    "fit_block_pca",
    "fit_latent_codec",
    "fit_quantiser",
    "make_codecs",
    "measure_codecs",
    "transferred_values",
]
