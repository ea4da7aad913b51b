# SPDX-License-Identifier: Apache-2.0
"""The U-Net for masks."""

from __future__ import annotations

import torch

from scripts.networks import SegmentationUNet


def test_a_unet_gives_probabilities():
    torch.manual_seed(0)
    network = SegmentationUNet(4, spatial_dims=2, features=(4,) * 6).eval()
    output = network(torch.rand(2, 1, 16, 32))
    assert output.shape == (2, 4, 16, 32)
    assert output.min() > 0
    torch.testing.assert_close(output.sum(1), torch.ones(2, 16, 32))
