# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch

from scripts.inference import onnx_model
from scripts.inference.onnx_export import FieldGraph, SliceGraph, VerdictGraph, VolumeGraph, export, write_model
from scripts.inference.onnx_model import OnnxModel
from scripts.inference.volume_inferer import judged
from scripts.networks import ResidualUNet
from scripts.repairs import noise_std, remove_noise
from tests.helpers.exported import small_restorer

SIZES = [(45, 54, 33), (16, 17, 18), (64, 31, 40)]


def image(size, seed=0):
    return torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(seed)) * 900 + 50


def noisy(size, std=0.04, seed=0):
    """An ellipsoid with a rectangle in it, in air with Rician noise, ``(H, W, D)``."""
    generator = torch.Generator().manual_seed(seed)
    axes = torch.meshgrid(*(torch.linspace(-1.6, 1.6, n) for n in size), indexing="ij")
    clean = (sum(axis.square() for axis in axes) < 1) * (0.6 + 0.2 * axes[0] + 0.2 * (axes[1].abs() < 0.3))
    return torch.hypot(*(part * clean + std * torch.randn(size, generator=generator) for part in (1, 0)))


def run(model, word, *arguments):
    session = model._runtime.InferenceSession(str(model.folder / f"{word}.onnx"))
    names = [value.name for value in session.get_inputs()]
    return session.run(None, {name: value.numpy() for name, value in zip(names, arguments, strict=True)})


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_graphs_take_any_size_and_unit_and_answer_as_torch_does(small, size):
    model, network = OnnxModel(small[0]), small_restorer()
    scale, levels = torch.tensor([50.0, 800.0]), torch.linspace(0, 1, 9)[None]
    x = image(size)
    for word, graph, arguments in (
        ("verdict", VerdictGraph(network.verdict), (x, scale)),
        ("volumes", VolumeGraph(network.volumes), (x, scale, levels)),
        ("slices", SliceGraph(network.slices), (x, scale)),
        ("field", FieldGraph(network.field), (x, scale)),
    ):
        wanted, given = graph(*arguments), run(model, word, *arguments)
        outputs = model.manifest["graphs"][word]["outputs"]
        for name, one, other in zip(outputs, wanted if isinstance(wanted, tuple) else (wanted,), given, strict=True):
            unit = 750.0 if other.shape == x.shape else 1.0
            np.testing.assert_allclose(other, one.numpy(), atol=1e-4 * unit, rtol=0)
            assert other.shape == {"levels": (1, 10), "strength": (1,)}.get(name, x.shape)


@pytest.mark.parametrize("size", [*SIZES, (12, 40, 6)])
@torch.no_grad()
def test_the_verdict_sees_no_air_far_from_the_head_whatever_the_size(small, size):
    network, scale = small_restorer(), torch.tensor([-100.0, 300.0])
    tight = torch.full((1, 1, *size), 0.5)
    wide = torch.nn.functional.pad(tight, (0, 20, 47, 0, 30, 30))
    seen = [judged(volume).shape[2:] for volume in (wide, tight)]
    assert [n < m for n, m in zip(seen[0], wide.shape[2:], strict=True)] == [True] * 3
    assert all(n >= 16 for n in seen[1])
    for volume in (wide, tight, torch.zeros_like(tight)):
        given = run(OnnxModel(small[0]), "verdict", volume * 400 - 100, scale)[0]
        np.testing.assert_allclose(given, network.verdict(judged(volume)).sigmoid().numpy(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [(45, 54, 33), (20, 21, 19), (64, 31, 40)])
@torch.no_grad()
def test_noise_is_measured_and_removed_as_torch_does_it(small, monkeypatch, size):
    model, volume = OnnxModel(small[0]), noisy(size)
    std = noise_std(volume)
    assert std == pytest.approx(0.04, rel=0.1)
    assert model.noise_std(volume.numpy()) == pytest.approx(std, rel=1e-4)
    assert model.noise_std(volume.numpy() + 0.1) == noise_std(volume + 0.1) == 0
    wanted = remove_noise(volume, std)
    for voxels in (14 * 14 * size[2], 10**9):  # in parts of 8 rows and columns and three on either side, and as a whole
        monkeypatch.setattr(onnx_model, "VOXELS", voxels)
        np.testing.assert_allclose(model.without_noise(volume.numpy(), std), wanted.numpy(), atol=2e-3 * std, rtol=0)


def test_noise_is_removed_in_any_unit(small):
    model, volume = OnnxModel(small[0]), noisy((24, 22, 20))[None, None]
    scale, std, guide = torch.tensor([50.0, 800.0]), torch.tensor([0.04]), volume.flip(2)
    for word, more in (("noise_threshold", ()), ("noise_weight", (guide,)), ("noise_average", (guide,))):
        one = run(model, word, volume, torch.tensor([0.0, 1.0]), std, *more)[0]
        other = run(model, word, volume * 750 + 50, scale, std * 750, *(part * 750 + 50 for part in more))[0]
        np.testing.assert_allclose((other - 50) / 750, one, atol=1e-4)


@torch.no_grad()
def test_the_graph_scales_and_pads_as_the_config_does():
    network = ResidualUNet(2, residual_output=True).eval()
    x = image((21, 26, 3))
    pad = (3, 3, 1, 2)  # to 24 and 32, on both sides, as MONAI's DivisiblePad
    padded = torch.nn.functional.pad(((x - 50) / 750)[0].permute(3, 0, 1, 2), pad)
    wanted = network(padded)[:, :, 1:22, 3:29].permute(1, 2, 3, 0)[None] * 750 + 50
    given = SliceGraph(network, symmetric=True)(x, torch.tensor([50.0, 800.0]))
    torch.testing.assert_close(given, wanted)


def test_the_manifest_follows_its_schema_and_names_every_file(small, root):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((root / "scripts/inference" / onnx_model.SCHEMA).read_text())
    manifest = json.loads((small[0] / "manifest.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(manifest, schema)
    assert {path.name for path in small[0].iterdir()} == {"manifest.json", *manifest["files"]}
    assert manifest["image"]["orientations"]["sagittal"] == "IPR"
    assert any("repairs by formula" in text for text in manifest["left_out"])
    assert "adult" in manifest["calibrated_for"]["use"]


def test_exporting_twice_gives_the_same_model(small, tmp_path):
    again = write_model("brain_mri_restorer", small_restorer(), tmp_path / "again", "0" * 64).parent
    write_model("brain_mri_restorer", small_restorer(), again, "0" * 64)
    assert (again / "manifest.json").read_text() == (small[0] / "manifest.json").read_text()


@pytest.mark.parametrize(
    ("name", "message"), [("nobody", "choose from ar_vae, .*brain_mri_autoencoder"), ("vae", "vae returns no restored")]
)
def test_what_cannot_be_exported_is_said(tmp_path, name, message):
    with pytest.raises(ValueError, match=message):
        export(name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty and holds no manifest"):
        export("brain_mri_autoencoder", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_network_for_slices_is_exported_too(tmp_path):
    folder = export("brain_mri_autoencoder", tmp_path / "out").parent
    model = OnnxModel(folder)
    assert not model.has_verdict
    assert model.manifest["name"] == "brain_mri_autoencoder"
    shutil.copytree(folder, tmp_path / "moved")  # nothing in it knows where it lies
    x = np.random.default_rng(0).random((24, 20, 17), dtype=np.float32)
    np.testing.assert_array_equal(OnnxModel(tmp_path / "moved").slices(x), model.slices(x))
