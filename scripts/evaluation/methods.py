# SPDX-License-Identifier: Apache-2.0
"""The methods that an evaluation compares: slices in, restored slices of the same size out.

Only the methods that are asked for are set up, networks with their trained or published weights among them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from monai.inferers import Inferer, SimpleInferer
from torch import Tensor, nn

from ..files.errors import suggestion
from ..inference.evaluator import load_network
from ..networks import THESIS_NETWORKS, ResidualUNet
from ..recipes.weights import read_weights

__all__ = ["Method", "NetworkMethod", "choose", "make_methods", "published_networks", "trained_network"]

T = TypeVar("T")

Method = Callable[..., Tensor]
"""Slices ``(N, 1, H, W)`` to restored slices. One with an attribute ``needs_holes`` that is true is given the boolean
mask of the holes too, one with ``needs_kspace`` what was measured of k-space."""


def make_methods(
    rows: Sequence[str], makers: Mapping[str, Callable[[], Method | Mapping[str, Method] | None]]
) -> dict[str, Method]:
    """Set up the methods that are to be compared.

    Args:
        rows: their names, in the order of the tables.
        makers: what makes each method that is known; ``None`` from it leaves the row out, several methods make a row
            each, ``row_name``.

    Returns:
        The methods by name, in the order of ``rows``.

    Raises:
        ValueError: an unknown name (the nearest known one is named), or no method at all.
    """
    made = {name: maker() for name, maker in choose(rows, makers, "row").items()}
    methods = {
        f"{row}_{name}".rstrip("_"): method
        for row, several in made.items()
        for name, method in (several if isinstance(several, Mapping) else {"": several}).items()
        if method is not None
    }
    if not methods:
        raise ValueError(f"there is no method to evaluate: set rows to some of {', '.join(makers)}.")
    return methods


def choose(names: str | Sequence[str], known: Mapping[str, T], what: str) -> dict[str, T]:
    """Those of the known that are named; a single name may stand for a list of one.

    Raises:
        ValueError: an unknown name, with the nearest known one.
    """
    chosen = {}
    for name in [names] if isinstance(names, str) else names:
        if name not in known:
            raise ValueError(f"{what} {name!r} is unknown: {suggestion(str(name), known)}")
        chosen[name] = known[name]
    return chosen


DIVISOR = 8
"""The networks halve the image three times."""


class NetworkMethod:
    """Apply a network to slices of any size.

    The slices are padded with zeros to a multiple of 8, centred as in training, and cut back; never resampled.

    Args:
        network: in evaluation mode, on its device.
        batch_size: slices at a time.
        clip: clip the input to [0, 1] first, for networks that end in a sigmoid and were trained on such images.
        inferer: what calls the network, if anything; it sees slices that are not padded.
    """

    def __init__(
        self, network: nn.Module, batch_size: int = 32, clip: bool = False, inferer: Inferer | None = None
    ) -> None:
        self.network = network
        self.batch_size = batch_size
        self.clip = clip
        self.inferer = inferer or SimpleInferer()
        self.needs_kspace = getattr(self.inferer, "needs_kspace", False)

    @torch.inference_mode()
    def __call__(self, images: Tensor, *known: Tensor) -> Tensor:
        """Restore ``images`` of shape ``(N, 1, H, W)``; ``known``, of N slices too, goes to the inferer."""
        batches = zip(*(tensor.split(self.batch_size) for tensor in (images, *known)), strict=True)
        return torch.cat([self.inferer(batch, self._padded, *more) for batch, *more in batches])

    def _padded(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        rows, columns = -height % DIVISOR, -width % DIVISOR
        top, left = rows // 2, columns // 2
        padded = F.pad(images.clamp(0, 1) if self.clip else images, (left, columns - left, top, rows - top))
        restored = self.network(padded)
        return restored[..., top : top + height, left : left + width].float()


def trained_network(
    network: nn.Module,
    weights: str,
    device: torch.device,
    amp: bool = False,
    batch_size: int = 32,
    inferer: Inferer | None = None,
) -> NetworkMethod:
    """The network of a recipe with the weights that its training wrote.

    Args:
        network: of the recipe; set up for the device here, as for inference.
        weights: ``model.pt``.
        device: where it runs.
        amp: compute in bfloat16.
        batch_size: slices at a time.
        inferer: of the recipe.

    Raises:
        FileNotFoundError: there are no such weights.
        ValueError: they are those of another network.
    """
    return NetworkMethod(load_network(network, weights, device, amp), batch_size, inferer=inferer)


def published_networks(
    weights: str | None, device: torch.device, amp: bool = False, batch_size: int = 32
) -> dict[str, NetworkMethod] | None:
    """The thesis's networks with their published weights; ``None`` where none are given.

    They end in a sigmoid and saw images in [0, 1], so their input is clipped to that range. They were trained on slices
    that are min-max scaled one by one; here they get the volume's scale, as every method does.

    Args:
        weights: a file that ``python -m scripts import-keras`` wrote, or a folder of such files. Which of the five
            networks it belongs to is told by its tensors.
        device: where they run.
        amp: compute in bfloat16.
        batch_size: slices at a time.

    Returns:
        Methods by the name of their file; by an empty name where ``weights`` is one file.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: it holds other weights.
    """
    if not weights:
        return None
    place = Path(weights)
    files = {file.stem: file for file in sorted(place.glob("*.pt"))} if place.is_dir() else {"": place}
    if not files or not all(file.is_file() for file in files.values()):
        raise FileNotFoundError(
            f"there are no published weights at {weights}: make them with "
            "python -m scripts import-keras WEIGHTS FILE --network residual_unet, or leave the row out."
        )
    return {
        name: NetworkMethod(load_network(_network_of(file), str(file), device, amp), batch_size, clip=True)
        for name, file in files.items()
    }


def _network_of(file: Path) -> nn.Module:
    """The network of the thesis whose tensors a file holds; the default one if it is none of them."""
    found = {name: value.shape for name, value in read_weights(file).items()}
    for network in (kind(**given) for kind in THESIS_NETWORKS.values() for given in kind.published_arguments):
        if {name: value.shape for name, value in network.state_dict().items()} == found:
            return network
    return ResidualUNet()
