# SPDX-License-Identifier: Apache-2.0
"""Detectors that rebuild a head as it were if it were healthy, and look where it differs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..engines import accelerate, bfloat16_pays
from ..recipes.weights import load_weights
from .detector import Detector, Head, in_usual_units, masked_blur

__all__ = ["AnomalyUndoing", "Reconstructing", "ReconstructionResidual", "SeveralReconstructions"]

MULTIPLE = 8
"""Divisor of the rows and columns that networks take."""


class Reconstructing(Detector):
    """A detector that has a healthy version of the head."""

    @abstractmethod
    def reconstruct(self, image: Tensor) -> Tensor:
        """Rebuild an image, ``(H, W, D)``, as a healthy one."""


class ReconstructionResidual(Reconstructing):
    """What a network that was trained on healthy slices does not reproduce: any autoencoder of ``configs/net``.

    Args:
        network: network of slices ``(N, 1, H, W)``.
        weights: state dictionary; empty: the network has its weights.
        device: device of the network; by default a GPU if there is one.
        spatial_shape: rows and columns that the network takes; by default any multiple of 8.
        blur: standard deviation in voxels of the blur of the residual.
        batch_size: slices at a time.
    """

    def __init__(
        self,
        network: nn.Module,
        weights: str = "",
        device: torch.device | str | None = None,
        spatial_shape: Sequence[int] | None = None,
        blur: float = 1.0,
        batch_size: int = 32,
    ) -> None:
        self.device = _device(device)
        self.network = accelerate(load_weights(network, weights).eval(), self.device, bfloat16_pays(self.device))
        self.spatial_shape, self.blur, self.batch_size = spatial_shape, blur, batch_size

    @torch.no_grad()
    def reconstruct(self, image: Tensor) -> Tensor:
        """Rebuild an image, ``(H, W, D)``, slice by slice."""
        slices = image.movedim(-1, 0)[:, None]
        size = self.spatial_shape or [-(-length // MULTIPLE) * MULTIPLE for length in slices.shape[2:]]
        (top, bottom), (left, right) = (
            (more // 2, more - more // 2) for more in np.subtract(size, slices.shape[2:]).tolist()
        )
        given = F.pad(slices, (left, right, top, bottom))  # a negative number crops
        parts = [self.network(part.to(self.device)).float().cpu() for part in given.split(self.batch_size)]
        return F.pad(torch.cat(parts), (-left, -right, -top, -bottom))[:, 0].movedim(0, -1).contiguous()

    def __call__(self, head: Head) -> Tensor:
        """Absolute residuals; their median is 1."""
        residual = (head.image - self.reconstruct(head.image)).abs()
        return in_usual_units(masked_blur(residual, head.brain, self.blur), head.brain)


class AnomalyUndoing(Reconstructing):
    """A network that learned to undo synthetic anomalies: their log odds.

    A head is looked at as it is and mirrored, and the answers are averaged; more orientations find no more.

    Args:
        network: network of volumes, ``(B, 1, H, W, D)`` to the healthy head and the log odds, ``(B, 2, H, W, D)``.
        weights: state dictionary of ``configs/recipe/anomaly.yaml``; empty: the network has its weights.
        device: device of the network; by default a GPU if there is one.

    References:
        Naval Marimont et al., DISYRE: Diffusion-inspired synthetic restoration for unsupervised anomaly detection,
        ISBI 2024 (arXiv:2311.15453).
    """

    def __init__(self, network: nn.Module, weights: str = "", device: torch.device | str | None = None) -> None:
        self.device = _device(device)
        self.network = accelerate(load_weights(network, weights).eval(), self.device, bfloat16_pays(self.device))

    def reconstruct(self, image: Tensor) -> Tensor:
        """Rebuild an image, ``(H, W, D)``."""
        return self._answers(image)[0]

    def __call__(self, head: Head) -> Tensor:
        """Log odds."""
        return self._answers(head.image)[1]

    @torch.no_grad()
    def _answers(self, image: Tensor) -> Tensor:
        """The healthy head and the log odds, ``(2, H, W, D)``."""
        height, width, _ = image.shape
        padded = F.pad(image, (0, 0, 0, -width % MULTIPLE, 0, -height % MULTIPLE))
        views = (self.network(view[None, None].to(self.device))[0].float().cpu() for view in (padded, padded.flip(-1)))
        return ((next(views) + next(views).flip(-1)) / 2)[:, :height, :width]


class SeveralReconstructions(Detector):
    r"""Distance of a head from several reconstructions of it, in units of their own spread.

    .. math:: d = \frac{|x - \bar y|}{\sqrt{s^2 + \epsilon^2}}

    The reconstructions :math:`y` are those of the head with coarse noise, each with another; s is their standard
    deviation in the neighbourhood. Where a network is unsure anyway, a difference counts for less.

    Args:
        detector: detector that reconstructs.
        number: how many reconstructions.
        noise: standard deviation of the coarse noise.
        cell: voxels between its independent values.
        floor: :math:`\epsilon`, in units of intensity.
        seed: of the noise.

    References:
        Behrendt et al., Leveraging the Mahalanobis distance to enhance unsupervised brain MRI anomaly detection, MICCAI
        2024 (arXiv:2407.12474).
    """

    def __init__(
        self,
        detector: Reconstructing,
        number: int = 5,
        noise: float = 0.05,
        cell: int = 4,
        floor: float = 0.02,
        seed: int = 0,
    ) -> None:
        if number < 2:
            raise ValueError(f"number must be at least 2, got {number}: one reconstruction has no spread.")
        self.detector, self.number, self.noise, self.cell = detector, number, noise, cell
        self.floor, self.seed = floor, seed

    def __call__(self, head: Head) -> Tensor:
        """Distances."""
        generator = torch.Generator().manual_seed(self.seed)
        shape = [max(2, length // self.cell) for length in head.image.shape]
        rebuilt = []
        for _ in range(self.number):
            coarse = self.noise * torch.randn(1, 1, *shape, generator=generator)
            noise = F.interpolate(coarse, size=head.image.shape, mode="trilinear")[0, 0]
            rebuilt.append(self.detector.reconstruct(torch.where(head.brain, head.image + noise, head.image)))
        stack = torch.stack(rebuilt)
        variance = masked_blur(stack.var(dim=0), head.brain, 1.0)
        residual = masked_blur((head.image - stack.mean(dim=0)).abs(), head.brain, 1.0)
        return residual / (variance + self.floor**2).sqrt()


def _device(device: torch.device | str | None) -> torch.device:
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
