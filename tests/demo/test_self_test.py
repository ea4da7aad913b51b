# SPDX-License-Identifier: Apache-2.0
"""Known damage in a head: what each kind of restorer is told about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation
from scipy import ndimage

from scripts.demo.restoration import demo_head
from scripts.demo.self_test import AMBER, GREEN, RED, SelfTest, self_test
from scripts.inference.gate import OUTSIDE
from scripts.inference.restorer import Restorer
from scripts.transforms.plane import PLANE_AXCODES
from scripts.transforms.volume_scale import volume_range
from tests.helpers.toy_scores import toy_head, toy_volume

GOOD = SelfTest(False, (28.0, 29.0), 0.9, 0.99, 0.98)


@pytest.mark.parametrize(
    ("change", "color", "reason"),
    [
        ({}, GREEN, "known damage is undone"),
        ({"outside": True}, RED, "outside of the training"),
        ({"noise_db": (28.0, 27.9)}, RED, "worse by 0.1 dB"),
        ({"noise_db": (28.0, 27.96)}, AMBER, "of the noise -0.0 dB are undone"),
        ({"noise_db": (28.0, 28.31)}, GREEN, ""),
        ({"holes_recovered": -0.01}, RED, "worse than nothing"),
        ({"holes_recovered": 0.49}, AMBER, "49 % is undone"),
        ({"contrast_kept": 0.965}, RED, "lose 3.5 % of their contrast"),
        ({"contrast_kept_in_noise": 0.965}, AMBER, "lesions in noise lose 3.5 % of contrast"),
        ({"contrast_kept_in_noise": 0.935}, RED, "lesions in noise lose 6.5 % of their contrast"),
        ({"contrast_kept_in_noise": 1.05}, AMBER, "gain 5.0 % of contrast"),
        ({"holes_recovered": None}, AMBER, "no hole"),
        ({"contrast_kept": None, "contrast_kept_in_noise": None}, AMBER, "no room for a lesion"),
    ],
)
def test_the_rule(change, color, reason):
    test = replace(GOOD, **change)
    assert test.judged()[0] == color
    assert reason in "; ".join(test.judged()[1])
    assert test.facts()["judgement"] == color


def fake(restore: Callable[[np.ndarray], np.ndarray]) -> Any:
    """A restorer by a function of the voxels."""

    def item(image: nib.Nifti1Image) -> dict[str, MetaTensor]:
        values = torch.from_numpy(restore(image.get_fdata(dtype=np.float32)).astype(np.float32))
        return {"pred": MetaTensor(values[None], affine=image.affine)}

    return SimpleNamespace(restored_item=item, inferer=None)


def brain_of(head: MetaTensor) -> Any:
    """What is not dark."""
    return MetaTensor((head > 0.3 * head.max()).float(), affine=head.affine)


def result_of(restore: Callable[[np.ndarray], np.ndarray]) -> SelfTest:
    head = toy_head(3)
    volume = toy_volume(head)
    return self_test(fake(restore), 700 * volume, brain_of)


def test_a_restorer_that_does_nothing_is_amber():
    test = result_of(lambda image: image)
    assert test.noise_db[0] == pytest.approx(28.0, abs=0.3)
    assert test.noise_db[1] == pytest.approx(test.noise_db[0], abs=1e-3)
    assert test.holes_recovered == pytest.approx(0.0, abs=1e-4)
    assert test.kept == [pytest.approx(1.0, abs=1e-4)] * 2
    assert test.judged()[0] == AMBER


def test_a_restorer_that_paints_lesions_over_is_red():
    clean = Orientation(PLANE_AXCODES["sagittal"], labels=None)(700 * toy_volume(toy_head(3))).numpy()[0]
    test = result_of(lambda image: clean)
    assert test.kept == [pytest.approx(0.0, abs=0.02)] * 2
    assert test.judged()[0] == RED


def test_a_blur_loses_the_contrast_of_small_lesions():
    test = result_of(lambda image: ndimage.gaussian_filter(image, 2.0))
    assert max(test.kept) < 0.9
    assert test.judged()[0] == RED


def test_what_fills_holes_is_told_how_well():
    low, high = volume_range(700 * toy_volume(toy_head(3)))
    test = result_of(lambda image: np.where(np.isclose(image, low, atol=0.01), (low + high) / 2, image))
    assert 0.3 < (test.holes_recovered or 0) < 1
    assert test.contrast_kept == pytest.approx(1.0, abs=0.01)


def test_it_is_the_same_each_time():
    assert result_of(lambda image: image) == result_of(lambda image: image)


@pytest.mark.parametrize("kind", ["another contrast", "15 % noise"])
def test_heads_that_the_restorer_does_not_know_are_red(kind):
    image = demo_head()
    head, rng = image.get_fdata(dtype=np.float32) / 1000, np.random.default_rng(0)
    if kind == "another contrast":
        damaged = np.where(head > 0.1, np.clip(1.1 - head, 0, None), head)
    else:
        damaged = np.hypot(head + 0.15 * rng.standard_normal(head.shape), 0.15 * rng.standard_normal(head.shape))
    restorer = Restorer(device="cpu")
    restorer.restored_item(nib.Nifti1Image(damaged.astype(np.float32), image.affine))
    volume = MetaTensor(torch.from_numpy(damaged.astype(np.float32))[None], affine=image.affine)
    test = self_test(restorer, volume, brain_of, restorer.inferer.verdict.name == OUTSIDE)
    assert test.outside
    assert test.judged()[0] == RED
    if kind == "15 % noise":
        assert replace(test, outside=False).judged()[0] == RED  # without the gate as well
