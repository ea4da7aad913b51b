# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from scripts.data.demo.head import make_head
from scripts.inference.examiner import WEIGHTS, Examiner
from scripts.inference.restorer import Restorer
from scripts.inference.volume_item import prepare
from scripts.recipes.weights import read_weights


def test_the_weights_are_those_of_the_published_restorer(root):
    own = read_weights(WEIGHTS)
    restorer = read_weights(root / "bundle/brain_mri_restorer/model.pt")
    assert {f"volumes.verdict.{name}" for name in own} == {name for name in restorer if ".verdict." in name}
    assert all(torch.equal(value, restorer[f"volumes.verdict.{name}"]) for name, value in own.items())


@pytest.fixture(scope="module")
def restorer():
    restorer = Restorer(device="cpu", amp=False)
    restorer.network.field = None  # it comes before the verdict, and the examiner has none
    return restorer


@pytest.mark.parametrize("spoil", ["nothing", "dropout", "negative"])
def test_the_verdict_is_that_of_the_restoration(spoil, restorer):
    head = make_head(seed=5)
    image = head.image.copy()
    if spoil == "dropout":
        image *= np.random.default_rng(0).random(image.shape) > 0.05
    if spoil == "negative":
        image = np.where(image > 0.1, 1.3 - image, 0)
    affine = head.affine[:, [1, 0, 2, 3]]  # another orientation
    image = np.ascontiguousarray(image.swapaxes(0, 1) * 700).astype(np.float32)
    item = prepare(restorer.preprocessing, image, affine)
    expected = restorer.inferer.verdict_on(item["image"][None], restorer.network)
    volume = MetaTensor(torch.from_numpy(image)[None], affine=torch.from_numpy(affine))
    before = volume.clone()
    assert Examiner()(volume) == expected
    assert torch.equal(volume.as_tensor(), before.as_tensor())
