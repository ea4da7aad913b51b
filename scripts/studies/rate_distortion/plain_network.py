# SPDX-License-Identifier: Apache-2.0
"""Networks that were not made to compress: what they return, and how many values their decoders get to see."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from .codec import Coded

__all__ = ["TRANSFERRED", "PlainNetwork", "transferred_values"]

TRANSFERRED: dict[str, tuple[str, ...]] = {
    "ResidualUNet": ("stem", "down2", "down3"),
    "SkipCAE": ("down1_norm", "down2_norm", "down3_norm"),
    "ShallowResidualOriginal": ("down3",),
    "ShallowResidualPreactivation": ("down3",),
    "MyronenkoCAE": ("down3",),
}
"""For each class, the layers whose outputs go from the encoder to the decoder: skips, then the latent."""


@torch.inference_mode()
def transferred_values(network: nn.Module, images: Tensor) -> int:
    """Count the values that pass from the encoder to the decoder, by running the network.

    Args:
        network: of one of the classes of :data:`TRANSFERRED`.
        images: shape ``(N, 1, *spatial)``.

    Raises:
        ValueError: it is not known what another class passes on.
    """
    name = type(network).__name__
    if name not in TRANSFERRED:
        raise ValueError(
            f"it is not known what the decoder of {name} gets to see: give the network encode and decode, or list its "
            f"layers beside {', '.join(TRANSFERRED)} in scripts/coding/plain_network.py."
        )
    counts: list[int] = []
    hooks = [
        network.get_submodule(layer).register_forward_hook(lambda module, inputs, output: counts.append(output.numel()))
        for layer in TRANSFERRED[name]
    ]
    network(images)
    for hook in hooks:
        hook.remove()
    # a correction is added to the input, which goes round everything
    return sum(counts) + (images.numel() if getattr(network, "residual_output", False) else 0)


class PlainNetwork:
    """A network as a codec whose rate is the number of values that its decoder gets to see. They are not quantised.

    Args:
        network: of one of the classes of :data:`TRANSFERRED`, in evaluation mode.
        name: of the codec.
        batch_size: images at a time.
    """

    def __init__(self, network: nn.Module, name: str, batch_size: int = 32) -> None:
        self.network = network
        self.name = name
        self.batch_size = batch_size

    @torch.inference_mode()
    def code(self, images: Tensor) -> Iterator[Coded]:
        """See :class:`~scripts.studies.rate_distortion.codec.Codec`."""
        values = len(images) * transferred_values(self.network, images[:1])
        decoded = torch.cat([self.network(batch) for batch in images.split(self.batch_size)])
        yield Coded(decoded.float(), self.name, values / images.numel(), values)
