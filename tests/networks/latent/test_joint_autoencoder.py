# SPDX-License-Identifier: Apache-2.0
"""The network that sees image and mask."""

from __future__ import annotations

import math

import pytest
import torch

from scripts.losses import AutoencoderLoss, ClassOverlap, InfoNCE
from scripts.networks.latent import JointAutoencoder


def make(spatial_dims: int = 2) -> JointAutoencoder:
    torch.manual_seed(0)
    return JointAutoencoder(
        spatial_dims=spatial_dims,
        spatial_shape=(16, 24, 8)[:spatial_dims],
        in_channels=4,
        latent_size=5,
        channels=(2, 4, 4),
        output="softmax",
        image_latent_size=6,
        image_features=(2, 4, 4),
        joint_size=3,
    )


def pair(spatial_dims: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    shape = (16, 24, 8)[:spatial_dims]
    classes = torch.randint(0, 4, (3, *shape), generator=generator)
    mask = torch.nn.functional.one_hot(classes, 4).movedim(-1, 1).float()
    return torch.rand(3, 1, *shape, generator=generator), mask


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_the_mask_comes_back_and_both_lie_on_the_sphere(spatial_dims):
    network, (image, mask) = make(spatial_dims).eval(), pair(spatial_dims)
    output = network(image, mask)
    assert output.shape == mask.shape
    torch.testing.assert_close(output, network.decode(network.encode(mask)))
    joint = network.latents.joint
    for direction, again in ((joint.image, network.image_direction(image)), (joint.mask, network.mask_direction(mask))):
        assert direction.shape == (3, 3)
        torch.testing.assert_close(direction.norm(dim=1), torch.ones(3))
        torch.testing.assert_close(direction, again)


def test_the_two_directions_depend_on_their_own_input_alone():
    network, (image, mask) = make().eval(), pair()
    network(image, mask)
    first = network.latents.joint
    network(image.flip(2), mask)
    assert torch.equal(network.latents.joint.mask, first.mask)
    assert not torch.allclose(network.latents.joint.image, first.image)


def test_gradient_of_the_whole_loss_reaches_every_parameter():
    network, (image, mask) = make().train(), pair()
    AutoencoderLoss(ClassOverlap(), [InfoNCE()], network)(network(image, mask), mask).backward()
    assert [name for name, value in network.named_parameters() if value.grad is None] == []


def test_the_scale_begins_as_in_clip_and_is_bounded():
    network, (image, mask) = make().eval(), pair()
    network(image, mask)
    assert network.latents.joint.scale.item() == pytest.approx(1 / 0.07)
    torch.nn.init.constant_(network.log_scale, math.log(1000))
    network(image, mask)
    assert network.latents.joint.scale.item() == pytest.approx(100)
