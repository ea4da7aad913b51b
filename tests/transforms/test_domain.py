# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from monai.data import MetaTensor
from scipy import ndimage

from scripts.anatomy.domain import RULES
from scripts.data.demo.head import DemoHead, make_head
from scripts.transforms import NoteDomaind, OrientToPlaned, ScaleIntensityByVolumePercentiled
from tests.helpers.volume_files import affine


@lru_cache(maxsize=2)
def made() -> DemoHead:
    return make_head(1)


def whole_head(step=(1, 1, 1), brain_only=False):
    """Every so many voxels of 2 mm of a whole head, or of its brain alone."""
    image = np.where(made().label > 0, made().image, 0) if brain_only else made().image
    return np.ascontiguousarray(image[:: step[0], :: step[1], :: step[2]], dtype=np.float32)


def noted(volume, spacing=(2.0, 2.0, 2.0), plane="auto", codes="RAS"):
    item = {"image": MetaTensor(volume[None], affine=affine(codes, spacing)), "warnings": ""}
    for step in (OrientToPlaned("image", plane), ScaleIntensityByVolumePercentiled("image"), NoteDomaind("image")):
        item = step(item)
    return item


def test_a_whole_head_is_no_cause_for_words():
    item = noted(whole_head())
    assert (item["warnings"], item["skull_stripped"]) == ("", False)


@pytest.mark.parametrize("codes", ["RAS", "PSR", "LIA"])
def test_thick_slices_are_restored_in_their_plane_and_that_is_said(codes):
    spacing = (2.0, 2.0, 6.0)
    axis = "".join(codes).translate(str.maketrans("LRAPSI", "001122"))
    order = [int(place) for place in axis]
    volume = np.transpose(whole_head((1, 1, 3)), order)
    matrix = [spacing[place] for place in order]
    automatic = noted(volume, matrix, codes=codes)
    assert automatic["image"].meta["plane"] == "axial"
    assert "slices of 6 mm: restored in the axial plane" in automatic["warnings"]
    explicit = noted(volume, matrix, "sagittal", codes)
    assert explicit["image"].meta["plane"] == "sagittal"
    assert "cuts across slices of 6 mm: --plane axial" in explicit["warnings"]


def test_what_the_training_had_not_is_said():
    stripped = noted(whole_head(brain_only=True))
    assert stripped["skull_stripped"] is True
    assert stripped["warnings"] == "it looks skull-stripped: the network learnt whole heads."
    cases = {
        "it covers only 40 mm": noted(whole_head()[:20]),
        "pixels of 4 mm are interpolated": noted(whole_head((2, 2, 2)), (4.0,) * 3),
        "pixels of 0.3 mm: each slice is restored in 49 parts": noted(whole_head(), (2.0, 0.3, 0.3)),
        "ml: the head of an adult": noted(np.pad(whole_head()[30:60, 40:70, 40:70], 30)),
        " different values: is it a segmentation?": noted(np.round(8 * whole_head())),
        "in T1-weighted heads": noted(np.where(whole_head() > 0.2, 0.9 + 0.1 * whole_head(), whole_head())),
    }
    for part, item in cases.items():
        assert part in item["warnings"], (part, item["warnings"])


def test_each_rule_has_words_for_the_documentation():
    assert len({rule.what for rule in RULES}) == len(RULES)


def test_ordinary_damage_of_a_head_is_not_taken_for_another_domain():
    rng = np.random.default_rng(0)
    clean = whole_head()
    ramp = np.linspace(0.6, 1.4, clean.shape[0], dtype=np.float32)[:, None, None]
    holes = clean.copy()
    holes[40:60, 40:60, 40:60] = 0
    damaged = {
        "noise": np.hypot(clean + rng.normal(0, 0.1, clean.shape), rng.normal(0, 0.1, clean.shape)),
        "bias": clean * ramp,
        "blur": ndimage.gaussian_filter(clean, 1.0),
        "holes": holes,
        "zeroed air": np.where(ndimage.binary_fill_holes(clean > 0.15), clean, 0),
    }
    for name, volume in damaged.items():
        assert noted(volume.astype(np.float32))["warnings"] == "", name
