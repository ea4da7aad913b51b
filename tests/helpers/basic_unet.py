# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import torch
from monai.networks.nets import BasicUNet

from scripts.networks.blocks import check_input, check_spatial_dims


class SmallBasicUNet(BasicUNet):
    """A network of MONAI under the rules of CONTRIBUTING.md; four halvings."""

    size_multiple = 16

    def __init__(self, spatial_dims: int = 2, in_channels: int = 1, out_channels: int = 1) -> None:
        check_spatial_dims(spatial_dims)
        super().__init__(spatial_dims, in_channels, out_channels, features=(4, 4, 8, 8, 8, 4))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:  # TorchScript knows no super() in a forward
        check_input(x, self.size_multiple)
        return super().__call__(x)
