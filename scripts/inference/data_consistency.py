# SPDX-License-Identifier: Apache-2.0
"""Reconstruction from undersampled k-space: what was measured is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from monai.inferers import Inferer
from monai.networks.blocks.fft_utils_t import fftn_centered_t, ifftn_centered_t
from torch import Tensor

__all__ = ["DataConsistency", "with_measured"]


def with_measured(images: Tensor, kspace: Tensor, measured: Tensor) -> Tensor:
    """Put what was measured of k-space in the place of what images have there.

    Args:
        images: slices ``(B, C, H, W)``.
        kspace: see :class:`~scripts.corruptions.undersampling.Acquisition`.
        measured: see there.

    Returns:
        Complex images, shape ``(B, C, H, W, 2)``: their k-space is ``kspace`` where it was measured, and that of
        ``images`` elsewhere.
    """
    own = fftn_centered_t(images, 2, is_complex=False)
    return ifftn_centered_t(torch.where(measured[..., None], kspace, own), 2)


class DataConsistency(Inferer):
    """Inferer that puts the measured lines of k-space back into the image of a network, and takes the magnitude.

    The lines are exact in the complex image. In its magnitude they are as far as the image has no phase: what
    :func:`with_measured` gives is real and nowhere negative only where lines are measured in pairs of opposite ones, or
    where the network is right.

    Attributes:
        needs_kspace: for evaluations: it is called with what was measured.
    """

    needs_kspace: ClassVar[bool] = True

    def __call__(self, inputs: Tensor, network: Callable[[Tensor], Tensor], kspace: Tensor, measured: Tensor) -> Tensor:
        """Reconstruct slices.

        Args:
            inputs: magnitudes of the zero-filled slices, ``(B, 1, H, W)``.
            network: returns images of the same shape.
            kspace: see :class:`~scripts.corruptions.undersampling.Acquisition`.
            measured: see there.

        Returns:
            Shape of ``inputs``, >= 0.
        """
        image = with_measured(network(inputs).float(), kspace, measured)
        return torch.view_as_complex(image).abs()  # its gradient is finite where the image is 0, that of a root is not
