# SPDX-License-Identifier: Apache-2.0
"""Sets up the codecs that are compared, at all their rates; networks that were not made to compress among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm import tqdm

from ...baselines import PCA, fit_pca
from ...engines import accelerate
from ...evaluation.methods import choose
from ...networks import NETWORKS
from ...recipes.weights import load_weights
from .classical import BlockPCA, Jpeg2000, fit_block_pca
from .latent_codec import Autoencoder, Codec, Coded, fit_latent_codec

__all__ = [
    "PlainNetwork", "block_pca_codecs", "jpeg2000_codecs", "make_codecs", "network_codecs", "pca_codecs",
    "training_images", "transferred_values",
]  # fmt: skip

FIT_SLICES = 2048
"""Training slices from which the tables of an entropy code are made."""
PROBE = 64
"""Side of the image by which a network's rate is counted, if it takes any: a multiple of any block."""


def make_codecs(codecs: Sequence[str], makers: Mapping[str, Callable[[], list[Codec]]]) -> list[Codec]:
    """Set up the codecs that are asked for.

    Args:
        codecs: their names.
        makers: functions that make the codecs, by their names.

    Raises:
        ValueError: an unknown name (the nearest known one is named), or none.
    """
    made = [codec for maker in choose(codecs, makers, "codec").values() for codec in maker()]
    if not made:
        raise ValueError(f"there is no codec to measure: set codecs to some of {', '.join(makers)}.")
    return made


def training_images(dataset: Dataset, device: torch.device | str, count: int | None = None) -> Tensor:
    """Slices of the training, evenly spaced, ``(N, 1, H, W)``; all of them without a ``count``."""
    size = len(dataset)  # type: ignore[arg-type]
    rows = torch.linspace(0, size - 1, min(size, count or size)).long()
    return torch.as_tensor(dataset.__getitems__(rows.tolist())["image"]).to(device)  # type: ignore[attr-defined]


@torch.inference_mode()
def transferred_values(network: nn.Module, images: Tensor) -> int:
    """Count the values that pass from the encoder to the decoder, by running the network.

    Args:
        network: one of the networks of the thesis, or another class with ``transferred_layers``.
        images: shape ``(N, 1, *spatial)``.

    Raises:
        ValueError: it is not known what the network passes on.
    """
    layers = getattr(network, "transferred_layers", ())
    if not layers:
        raise ValueError(
            f"it is not known what the decoder of {type(network).__name__} gets to see: give the network encode and "
            "decode, or list the layers whose outputs its decoder sees as transferred_layers of the class."
        )
    counts: list[int] = []
    hooks = [
        network.get_submodule(layer).register_forward_hook(lambda module, inputs, output: counts.append(output.numel()))
        for layer in layers
    ]
    network(images)
    for hook in hooks:
        hook.remove()
    # a correction is added to the input, which goes round everything
    return sum(counts) + (images.numel() if getattr(network, "residual_output", False) else 0)


@dataclass(frozen=True)
class PlainNetwork:
    """A network as a codec whose rate is the number of values that its decoder gets to see. They are not quantised.

    Args:
        network: one with ``transferred_layers``, in evaluation mode.
        name: name of the codec.
        batch_size: images at a time.
    """

    network: nn.Module
    name: str
    batch_size: int = 32

    @torch.inference_mode()
    def code(self, images: Tensor) -> Iterator[Coded]:
        """See :class:`~scripts.studies.rate_distortion.latent_codec.Codec`."""
        values = len(images) * transferred_values(self.network, images[:1])
        decoded = torch.cat([self.network(batch) for batch in images.split(self.batch_size)])
        yield Coded(decoded.float(), self.name, values / images.numel(), values)


def network_codecs(
    network: nn.Module,
    weights: str,
    training: Dataset,
    bits: Sequence[int],
    device: torch.device,
    batch_size: int = 32,
    name: str = "",
) -> list[Codec]:
    """The network of a recipe with the weights that its training wrote, in single precision.

    One with ``encode`` and ``decode`` is a codec; of another, the rate is the number of values that its decoder sees.

    Args:
        network: network of the recipe.
        weights: ``model.pt``.
        training: slices from which the quantisers are set up.
        bits: per value, of each quantiser.
        device: device of the computation.
        batch_size: slices at a time.
        name: name of the codec if the network is none of ``NETWORKS``, such as the recipe's: a dense autoencoder.

    Raises:
        FileNotFoundError: there are no such weights.
        ValueError: they are those of another network.
    """
    load_weights(network, weights)
    accelerate(network.eval(), device, amp=False)
    name = next((known for known, kind in NETWORKS.items() if type(network) is kind), name)
    if not isinstance(network, Autoencoder):
        return [PlainNetwork(network, name, batch_size)]
    probe = torch.zeros(1, *getattr(network, "image_shape", (1, PROBE, PROBE)), device=device)
    with torch.inference_mode():
        compression = network.encode(probe).numel() / probe.numel()
    images = training_images(training, device, FIT_SLICES)
    return [fit_latent_codec(network, name, compression, images, bits, batch_size)]


def pca_codecs(
    training: Dataset, compressions: Sequence[float], bits: Sequence[int], device: torch.device | str = "cpu"
) -> list[Codec]:
    """Principal components of whole slices at each rate; not where there are fewer training slices than components.

    Args:
        training: slices to which all is fitted.
        compressions: components per pixel.
        bits: per coefficient, of each quantiser.
        device: device of the computation.
    """
    images = training_images(training, device)
    wanted = {compression: round(compression * images[0].numel()) for compression in compressions}
    kept = {compression: count for compression, count in wanted.items() if 0 < count < len(images)}
    for compression in sorted(set(wanted) - set(kept)):
        tqdm.write(
            f"PCA: {len(images)} training slices have no {wanted[compression]} components; this rate is left out."
        )
    if not kept:
        return []
    strongest = fit_pca(images, max(kept.values()))
    fitted = training_images(training, device, FIT_SLICES)
    return [
        fit_latent_codec(
            PCA(strongest.mean, strongest.components[:count]), "pca", compression, fitted, bits, centred=True
        )
        for compression, count in kept.items()
    ]


def block_pca_codecs(
    training: Dataset,
    compressions: Sequence[float],
    bits: Sequence[int],
    device: torch.device | str = "cpu",
    block_size: int = 8,
) -> list[Codec]:
    """Principal components of blocks at each rate that gives a block at least one.

    Args:
        training: slices to which all is fitted.
        compressions: components per pixel.
        bits: per coefficient, of each quantiser.
        device: device of the computation.
        block_size: side of a block in pixels.
    """
    images = training_images(training, device, FIT_SLICES)
    strongest = fit_block_pca(images, block_size**2, block_size)
    counts = {compression: round(compression * block_size**2) for compression in compressions}
    return [
        fit_latent_codec(BlockPCA(strongest.mean, strongest.components[:count]), "block_pca", compression, images, bits)
        for compression, count in counts.items()
        if count > 0
    ]


def jpeg2000_codecs(compressions: Sequence[float]) -> list[Codec]:
    """JPEG 2000 with as many bits as the values of each rate would have at 8 bits a value, before an entropy code.

    Args:
        compressions: values per pixel of the others.
    """
    return [Jpeg2000([8 * compression for compression in compressions])]
