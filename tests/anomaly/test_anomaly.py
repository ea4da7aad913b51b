# SPDX-License-Identifier: Apache-2.0
"""What every detector keeps to: those of all fragments, which are all that are exported."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

import scripts.anomaly
from scripts.anomaly import Calibration, Detector
from scripts.anomaly.folder import read_calibration
from scripts.recipes.places import CONFIGS
from scripts.recipes.recipe import Recipe, build, merged_config
from tests.helpers.toy_scores import lesion_mask, toy_head

FRAGMENTS = sorted((CONFIGS / "detector").glob("*.yaml"))
EXPORTED = {
    name
    for name in scripts.anomaly.__all__
    if issubclass(getattr(scripts.anomaly, name), Detector) and not inspect.isabstract(getattr(scripts.anomaly, name))
}


def config(path: Path) -> dict:
    return merged_config(
        Recipe("anomaly", ("configs/anomaly.yaml", f"configs/detector/{path.name}")), {"device": "cpu"}
    )


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.stem)
def test_a_detector_scores_lesions_higher(path):
    detector: Detector = build(config(path), "detector")
    change = -0.4 if path.stem == "darker_than_around" else 0.6
    healthy, ill = toy_head(), toy_head(lesion=change)
    before = ill.image.clone()
    scores = detector(ill)
    assert scores.shape == ill.image.shape
    assert scores.dtype == torch.float32
    assert torch.isfinite(scores[ill.brain]).all()
    assert torch.equal(ill.image, before)
    torch.testing.assert_close(detector(ill), scores)
    lesion = torch.from_numpy(lesion_mask())
    assert scores[lesion].mean() > detector(healthy)[lesion].mean()


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.stem)
def test_a_fragment_has_a_calibration_of_its_weights(path):
    content = config(path)
    calibration = read_calibration(build(content, "calibration"), build(content, "weights"))
    assert isinstance(calibration, Calibration)
    assert calibration.detector == path.stem
    assert abs(sum(calibration.shares) / calibration.heads - 0.01) < 0.002


def test_every_exported_detector_has_a_fragment():
    used = {
        name
        for path in FRAGMENTS
        for name in EXPORTED
        if f"scripts.anomaly.{name}" in str(ConfigParser.load_config_file(path))
    }
    assert used == EXPORTED
