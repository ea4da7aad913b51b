# SPDX-License-Identifier: Apache-2.0
"""Masks to codes and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scripts.latent.model import MaskModel
from scripts.networks.latent import VariationalAutoencoder


@pytest.fixture(scope="module")
def model() -> MaskModel:
    torch.manual_seed(0)
    network = VariationalAutoencoder(
        spatial_shape=(16, 24), in_channels=4, latent_size=3, channels=(2, 4), strides=(2, 2), output="softmax"
    )
    return MaskModel(network, batch_size=2)


def test_the_mask_is_the_most_probable_class(model: MaskModel):
    codes = np.random.default_rng(0).normal(size=(5, 3))
    probabilities = model.probabilities(codes)
    assert probabilities.shape == (5, 4, 16, 24)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(model.decode(codes), probabilities.argmax(1))


def test_batches_change_nothing(model: MaskModel):
    masks = np.random.default_rng(0).integers(0, 4, (5, 16, 24)).astype(np.uint8)
    together = model.encode(masks)
    assert together.shape == (5, 3)
    np.testing.assert_allclose(together, np.concatenate([model.encode(mask[None]) for mask in masks]), rtol=1e-4)
