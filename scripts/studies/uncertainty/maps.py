# SPDX-License-Identifier: Apache-2.0
"""Maps of uncertainty.

Entropy of the predicted probabilities, the same of predictions whose dropout is left on, the borders of the prediction
(the baseline that knows nothing but that borders are where errors are), and what the masks that fit an image say about
its segmentation (CRISP).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

__all__ = ["MaskBank", "bandwidth", "concentration", "dropout_probabilities", "edge_map", "entropy_map"]


def entropy_map(probabilities: Tensor) -> Tensor:
    r"""Entropy of each pixel's classes as a share of the largest possible one.

    .. math:: U = -\frac{1}{\log C} \sum_c p_c \log p_c

    Args:
        probabilities: ``(N, C, *spatial)``, sums of one over C.

    Returns:
        ``(N, *spatial)`` in [0, 1].

    Example:
        >>> entropy_map(torch.full((1, 4, 1), 0.25))
        tensor([[1.]])
    """
    return torch.special.entr(probabilities).sum(1) / math.log(probabilities.shape[1])


def edge_map(classes: Tensor) -> Tensor:
    """1 where one of the eight neighbours has another class, else 0.

    Args:
        classes: ``(N, H, W)``, whole numbers.

    Returns:
        ``(N, H, W)`` float32.
    """
    values = classes[:, None].float()
    highest, lowest = (sign * F.max_pool2d(sign * values, 3, stride=1, padding=1) for sign in (1, -1))
    return (highest != lowest)[:, 0].float()


@torch.inference_mode()
def dropout_probabilities(network: nn.Module, images: Tensor, passes: int, seed: int) -> Tensor:
    """Mean probabilities of several passes, each with other units left out.

    Only the dropout layers behave as in training; batch normalisation does not.

    Args:
        network: network from images to probabilities, in evaluation mode; not changed.
        images: ``(N, C, *spatial)``.
        passes: number of passes.
        seed: seed of the draws. torch's own random state stays as it was.

    Returns:
        ``(N, classes, *spatial)``.

    Raises:
        ValueError: the network has no dropout.

    References:
        Gal and Ghahramani, Dropout as a Bayesian approximation, ICML 2016 (arXiv:1506.02142).
    """
    with torch.random.fork_rng(), _dropping(network):
        torch.manual_seed(seed)
        return torch.stack([network(images) for _ in range(passes)]).mean(0)


@contextmanager
def _dropping(network: nn.Module) -> Iterator[None]:
    layers = [layer for layer in network.modules() if isinstance(layer, _DropoutNd) and layer.p > 0]
    if not layers:
        raise ValueError(
            f"Monte-Carlo dropout needs a network with dropout, {type(network).__name__} has none: train it with "
            "dropout, such as network_def#dropout 0.1."
        )
    for layer in layers:
        layer.train()
    try:
        yield
    finally:
        for layer in layers:
            layer.eval()


def concentration(directions: Tensor) -> float:
    r"""Concentration of the von Mises-Fisher distribution of directions.

    .. math:: \hat\kappa = \frac{\bar R (d - \bar R^2)}{1 - \bar R^2}, \qquad \bar R = \|\operatorname{mean}_i x_i\|

    Differs from the paper: its published code computes ``R * (8 - R**2) / 1 - R**2``, which lacks the parentheses
    around the denominator and takes d for 8 whatever it is.

    Args:
        directions: ``(N, d)`` of length one.

    Raises:
        ValueError: all directions are the same.

    References:
        Banerjee et al., Clustering on the unit hypersphere using von Mises-Fisher distributions, Journal of Machine
        Learning Research 6, 2005, equation 4.4.
    """
    squared = directions.double().mean(0).square().sum().item()
    if squared > 1 - 1e-9:
        raise ValueError(
            "the masks have all the same direction, so none fits an image better than another: the training has "
            "collapsed. Train the joint network anew, with a lower learning rate."
        )
    return math.sqrt(squared) * (directions.shape[1] - squared) / (1 - squared)


def bandwidth(directions: Tensor) -> float:
    r"""Rule of thumb for the kernel of ``N`` directions, :math:`h = \hat\kappa^{-1/2} (40 \sqrt\pi N)^{-1/5}`."""
    return concentration(directions) ** -0.5 * (40 * math.sqrt(math.pi) * len(directions)) ** -0.2


class MaskBank:
    r"""Masks of a cohort and their directions, from which those that fit an image best are taken.

    The uncertainty of a pixel is the share of them, weighted by how well they fit, that have another class there:

    .. math:: U = \frac{\sum_i w_i [y \ne y_i]}{\sum_i w_i}, \qquad w_i = \exp \frac{\langle u, v_i \rangle - 1}{h}

    with the direction u of the image, the M best directions v of masks, the prediction y and the bandwidth h.

    Differs from the paper: there, the sum is divided by M and the map by its largest value, so that even the most
    certain slice has a pixel of uncertainty 1, and one-hot channels are compared, so that grey for white counts twice
    and brain for background once. The published bank holds the masks of the validation, too; the threshold is chosen on
    these, so here it does not.

    Args:
        directions: directions of the masks, ``(N, D)`` of length one.
        classes: the masks, ``(N, H, W)``.
        count: M.

    Raises:
        ValueError: all directions are the same.

    References:
        Judge et al., CRISP: reliable uncertainty estimation for medical image segmentation, MICCAI 2022
        (arXiv:2206.07664).
    """

    def __init__(self, directions: Tensor, classes: Tensor, count: int = 50) -> None:
        self.directions = directions
        self.classes = classes
        self.count = min(count, len(directions))
        self.bandwidth = bandwidth(directions)

    def nearest(self, images: Tensor) -> Tensor:
        """The mask that fits each image best, ``(B, H, W)``, for directions of images ``(B, D)``."""
        return self.classes[(images @ self.directions.T).argmax(1)]

    def uncertainty(self, images: Tensor, predicted: Tensor) -> Tensor:
        """Map of each prediction.

        Args:
            images: their directions, ``(B, D)`` of length one.
            predicted: classes, ``(B, H, W)``.

        Returns:
            ``(B, H, W)`` in [0, 1].
        """
        cosine, best = (images @ self.directions.T).topk(self.count, dim=1)  # (B, M)
        weights = torch.softmax(cosine / self.bandwidth, dim=1)
        maps = [
            torch.einsum("m,mhw->hw", weight, (self.classes[rows] != mask).float())
            for weight, rows, mask in zip(weights, best, predicted, strict=True)
        ]
        return torch.stack(maps).clamp(max=1)
