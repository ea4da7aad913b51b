# SPDX-License-Identifier: Apache-2.0
"""The runtime onnx gives what the runtime torch gives, whatever the grid, the type and the unit of a volume."""

from __future__ import annotations

from functools import lru_cache

import nibabel as nib
import numpy as np
import pytest
import torch

from scripts.anatomy.damage_kinds import KINDS
from scripts.demo.restoration import demo_head
from scripts.files.nifti_image import nifti_image
from scripts.inference import volume_inferer
from scripts.inference.gate import DAMAGED, FINE, OUTSIDE, Gate
from scripts.inference.onnx_model import OnnxModel
from scripts.inference.onnx_volume import Loaded, load_volume, restore_volume, shown
from scripts.inference.restorer import Restorer
from scripts.repairs.repair import Repaired
from tests.helpers.exported import SMALL
from tests.helpers.volume_files import affine as tilted


def unrepaired(volumes, dark=False):
    nothing = torch.zeros(len(volumes))
    return Repaired(volumes, torch.zeros_like(volumes, dtype=torch.bool), nothing, nothing)


def unsharpened(volume):
    return volume, 0.0


@lru_cache
def noisy(spacing_mm=4.0):
    head = demo_head(5, spacing_mm=spacing_mm).get_fdata()
    rng = np.random.default_rng(1)
    noise = 0.04 * np.percentile(head, 99.5)
    return np.hypot(head + noise * rng.standard_normal(head.shape), noise * rng.standard_normal(head.shape))


@lru_cache
def uneven():
    head = demo_head(4, spacing_mm=4.0).get_fdata()
    gains = [
        np.linspace(-0.3, 0.3, size).reshape([-1 if one == axis else 1 for one in range(3)])
        for axis, size in enumerate(head.shape)
    ]
    return head * np.exp(sum(gains))


def spaced(*sizes):
    return np.diag([*sizes, 1.0])


def stored(values, matrix, dtype=np.float32, slope=None):
    image = nib.Nifti1Image(values.astype(dtype), matrix, dtype=dtype)
    if slope:
        image.header.set_slope_inter(slope, 10.0)
    return image


HEADS = {
    "2 mm": lambda: stored(noisy(), spaced(2, 2, 2)),
    "int16 with slope": lambda: stored(noisy() / noisy().max() * 1000, spaced(2, 2, 2), np.int16, 0.25),
    "turned and oblique": lambda: stored(noisy(), tilted("LPS", (2.0, 2.1, 1.9), tilt=0.2)),
    "1 mm": lambda: stored(noisy(), spaced(1, 1, 1)),
    "fine along one axis": lambda: stored(noisy(), spaced(0.9, 2, 1.3)),
    "coarse": lambda: stored(noisy(), spaced(3, 3.5, 2.9)),
    "thick slices": lambda: stored(noisy(), spaced(1.5, 1.5, 6)),
    "z-score": lambda: stored((noisy() - noisy().mean()) / noisy().std(), spaced(2, 2, 2)),
    "far away": lambda: stored(noisy() / noisy().max() + 1e9, spaced(2, 2, 2), np.float64),
    "padded": lambda: stored(np.pad(noisy(), 5, constant_values=-1024.0), spaced(2, 2, 2)),
    "NaN around it": lambda: stored(np.pad(noisy(), 3, constant_values=np.nan), spaced(2, 2, 2)),
    "a bias field": lambda: stored(uneven(), spaced(2, 2, 2)),
    "a bias field, 1 mm": lambda: stored(uneven(), spaced(1, 1.1, 1)),
    "a bias field, thick slices": lambda: stored(uneven(), spaced(1.5, 1.5, 6)),
    "a hot voxel": lambda: stored(np.where(noisy() == noisy().ravel()[9000], 1e5, noisy()), spaced(2, 2, 2)),
}  # fmt: skip


REPAIRED = dict.fromkeys(HEADS, "noise") | dict.fromkeys(
    ("coarse", "padded", "NaN around it", "a bias field", "a bias field, 1 mm"), "uneven brightness"
) | {"a bias field, thick slices": ""}  # fmt: skip
"""What is undone: noise where the air was left alone, else a field, which is told in sagittal slices."""


@pytest.mark.parametrize(
    ("kind", "gate"), [*((kind, True) for kind in HEADS), ("2 mm", False), ("a bias field", False)]
)
def test_it_equals_torch(small, tmp_path, monkeypatch, kind, gate):
    monkeypatch.setattr(volume_inferer, "repair", unrepaired)
    monkeypatch.setattr(volume_inferer, "remove_blur", unsharpened)
    image = HEADS[kind]()
    path = tmp_path / "head.nii.gz"
    nib.save(image, path)
    options = {"network_def": SMALL, "weights": str(small[1]), "gate": gate, "device": "cpu", "amp": False}
    wanted = Restorer(**options)(path)
    model = OnnxModel(small[0])
    volume = load_volume(path, 8.0)
    done = restore_volume(volume, shown(volume, model), model, Gate() if gate else None)
    if done.verdict:
        assert done.verdict.repaired == tuple(filter(None, [REPAIRED[kind]]))
    given = nifti_image(done.values, volume.affine, volume.meta)
    assert given.get_data_dtype() == wanted.get_data_dtype()
    np.testing.assert_allclose(given.affine, wanted.affine)
    assert given.header["sform_code"] == wanted.header["sform_code"]
    before, torch_, onnx = (np.asarray(one.dataobj, dtype=float) for one in (nib.load(path), wanted, given))
    low, high = np.nanpercentile(before, (2, 98))
    np.testing.assert_allclose(onnx, torch_, atol=1e-3 * (high - low), rtol=0)
    same = (before == torch_) | (np.isnan(before) & np.isnan(torch_))
    np.testing.assert_array_equal(onnx[same], before[same])
    assert np.nanmax(np.abs(onnx - before)) > 5e-3 * (high - low)  # it does something


class Told:
    """A model of which the answers are known."""

    manifest = {  # noqa: RUF012
        "image": {"spacing_mm": 2.0, "coarsest_mm": 8 / 3},
        "verdict": {"kinds": ("noise", "dropout", "holes", "blur", "bias"), "least": 0.2, "outside": 0.5},
        "repairs": {"noise": 0.2, "field": 0.05, "most_noise": 0.5, "unknown": 0.4},
    }
    has_verdict = True

    def __init__(self, std=0.0, strength=0.0, **levels):
        self.odds = np.array([levels.get(kind, 0.0) for kind in (*self.manifest["verdict"]["kinds"], "outside")])
        self.std, self.strength, self.called, self.told = std, strength, [], None

    def levels(self, image, one):
        self.called.append("verdict")
        return self.odds.astype(np.float32)

    named = OnnxModel.named

    def volume(self, image, levels, one):
        self.called.append("volume")
        self.told = levels.tolist()
        return image + 0.1

    def slices(self, image, one):
        self.called.append("slices")
        return image + 0.2

    def noise_std(self, image):
        return self.std

    def without_noise(self, image, std):
        self.called.append("noise")
        return image * 0.9

    def without_field(self, image):
        self.called.append("field")
        return image * 0.8, self.strength


def some_kinds(levels, outside, repaired):
    """A gate for some kinds of damage."""
    found = dict(zip(Told.manifest["verdict"]["kinds"], levels, strict=True))
    return Gate(0.2, 0.5)([found.get(kind, 0.0) for kind in KINDS], outside, repaired)


@pytest.mark.parametrize(
    ("levels", "name", "called", "said"),
    [
        ({"noise": 0.1}, FINE, ["field"], []),
        ({"noise": 0.9, "outside": 0.6}, OUTSIDE, [], []),
        ({"noise": 0.6}, DAMAGED, ["volume"], ["noise is left"]),
        ({"noise": 0.3}, DAMAGED, ["field", "volume"], ["noise is left"]),
        ({"noise": 0.6, "std": 0.1}, DAMAGED, ["noise", "verdict"], []),
        ({"noise": 0.6, "std": 0.1, "blur": 0.3}, DAMAGED, ["noise", "verdict", "volume"], []),
        ({"holes": 0.4}, DAMAGED, ["field", "volume"], []),
        ({"holes": 0.9, "whole": True}, FINE, ["field"], []),
        ({"holes": 0.9, "whole": True, "blur": 0.3}, DAMAGED, ["field", "volume"], []),
        ({"holes": 0.6, "strength": 0.1}, DAMAGED, ["slices"], ["voxels were lost"]),
        ({"dropout": 0.6, "noise": 0.8, "std": 0.1}, DAMAGED, ["slices"], ["voxels were lost", "noise is left"]),
        ({"dropout": 0.6, "blur": 0.8}, DAMAGED, ["volume"], ["voxels were lost"]),
        ({"bias": 0.3}, DAMAGED, ["field", "volume"], ["uneven brightness"]),
        ({"bias": 0.3, "outside": 0.45}, DAMAGED, ["volume"], ["uneven brightness"]),
        ({"bias": 0.1, "strength": 0.1}, DAMAGED, ["field", "verdict"], []),
    ],
)
def test_the_verdict_chooses(levels, name, called, said):
    model, values = Told(**levels), noisy().astype(np.float32)
    if {"holes", "dropout"} & set(levels) and not levels.get("whole"):
        values[::3, ::3, ::3] = 0
    volume = Loaded(values, spaced(2, 2, 2), {})
    done = restore_volume(volume, shown(volume, model), model, some_kinds)
    assert (done.verdict.name, model.called) == (name, ["verdict", *called])
    changed = {"noise", "volume", "slices"}.intersection(called) or levels.get("strength")
    assert bool(changed) != np.array_equal(done.values, volume.values)
    assert [line[: len(text)] for line, text in zip(done.warnings, said, strict=True)] == said
    if "noise" in called and model.told:
        assert model.told[0] == 0  # of which there is none any more


def test_a_manifest_without_repairs_leaves_all_to_the_network():
    model = Told(noise=0.6, std=0.1, strength=0.1)
    model.manifest = Told.manifest | {"repairs": None}
    volume = Loaded(noisy().astype(np.float32), spaced(2, 2, 2), {})
    restore_volume(volume, shown(volume, model), model, None)
    assert model.called == ["verdict", "volume"]


def test_a_network_that_makes_no_sense_is_refused():
    model = Told(noise=0.9)
    model.volume = lambda image, levels, one: image * np.nan
    volume = Loaded(noisy().astype(np.float32), spaced(2, 2, 2), {})
    with pytest.raises(ValueError, match="largest correction is nan times the intensity range"):
        restore_volume(volume, shown(volume, model), model, None)


@pytest.mark.parametrize(
    ("values", "matrix", "message"),
    [
        (np.zeros((20, 20, 20)), spaced(2, 2, 2), "constant"),
        (np.ones((20, 20, 20, 3)), spaced(2, 2, 2), "four-dimensional, 3 volumes"),
        (np.ones((20, 20)), spaced(2, 2, 2), "has 2 axes"),
        (np.random.default_rng(0).random((20, 20, 8)), spaced(2, 2, 2), "at least 16 voxels"),
        (np.random.default_rng(0).random((20, 20, 20)), spaced(2, 2, 900), "900 mm"),
    ],
)
def test_what_is_no_volume_is_refused(tmp_path, values, matrix, message):
    nib.save(nib.Nifti1Image(values.astype(np.float32), matrix), tmp_path / "x.nii")
    with pytest.raises(ValueError, match=message):
        load_volume(tmp_path / "x.nii", 8.0)


def test_memory_is_looked_after(tmp_path):
    nib.save(stored(noisy(), spaced(30, 30, 2)), tmp_path / "x.nii")
    volume = load_volume(tmp_path / "x.nii", 0.05)
    with pytest.raises(ValueError, match="of memory, more than max_memory"):
        shown(volume, Told(), "sagittal", max_memory=0.05)
