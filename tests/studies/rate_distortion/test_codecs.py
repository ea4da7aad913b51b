# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from scripts.networks import NETWORKS, CompressiveAutoencoder, ResidualUNet
from scripts.networks.latent import VariationalAutoencoder
from scripts.studies.rate_distortion.classical import Jpeg2000, fit_block_pca
from scripts.studies.rate_distortion.codecs import (
    PlainNetwork,
    block_pca_codecs,
    jpeg2000_codecs,
    make_codecs,
    network_codecs,
    pca_codecs,
    transferred_values,
)
from scripts.studies.rate_distortion.latent_codec import fit_latent_codec


def smooth_images(count: int = 40, height: int = 32, width: int = 24, seed: int = 0) -> torch.Tensor:
    noise = torch.rand(count, 1, height + 8, width + 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.avg_pool2d(noise, 9, 1) * 3


class Slices:
    def __init__(self, images: torch.Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitems__(self, rows: list[int]) -> dict[str, torch.Tensor]:
        return {"image": self.images[rows]}


def psnr(coded, images: torch.Tensor) -> float:
    return -10 * math.log10((coded.images - images).square().mean().item())


def test_block_pca_is_the_best_code_of_its_blocks():
    images = smooth_images()
    blocks = images.unfold(2, 8, 8).unfold(3, 8, 8).reshape(-1, 64).double().numpy()
    mean = blocks.mean(0)
    rows = np.linalg.svd(blocks - mean, full_matrices=False)[2][:5]
    expected = (blocks - mean) @ rows.T @ rows + mean
    pca = fit_block_pca(images, 5)
    assert pca.encode(images).shape == (40, 5, 4, 3)
    decoded = pca.decode(pca.encode(images)).unfold(2, 8, 8).unfold(3, 8, 8).reshape(-1, 64)
    np.testing.assert_allclose(decoded, expected, atol=1e-5)
    with pytest.raises(ValueError, match="8 x 8 pixels have 1 to 64 principal components, 65 were asked for"):
        fit_block_pca(images, 65)


def test_a_latent_codec_counts_values_and_bits():
    images, network = smooth_images(), CompressiveAutoencoder(compression=1 / 16).eval()
    codec = fit_latent_codec(network, "name", 1 / 16, images, [8, 2], batch_size=7)
    exact, fine, coarse = codec.code(images[:5])
    torch.testing.assert_close(exact.images, network(images[:5]), atol=1e-5, rtol=1e-5)
    assert exact.values == fine.values == 5 * 32 * 24 / 16
    assert (exact.codec, exact.compression, fine.bits_per_value, coarse.bits_per_value) == ("name", 1 / 16, 8, 2)
    assert math.isnan(exact.bits)
    assert 0 < coarse.bits < 2.2 * coarse.values
    assert coarse.bits < fine.bits < 8.2 * fine.values
    near = (fine.images - exact.images).square().mean()
    assert near < 0.01 * (coarse.images - exact.images).square().mean()


@pytest.mark.parametrize("shape", [(32, 24), (40, 24)])
def test_decoded_images_have_the_size_of_the_coded_ones(shape):
    images = smooth_images(4, *shape)
    network = CompressiveAutoencoder(compression=1 / 256).eval()
    (coded,) = fit_latent_codec(network, "", 1 / 256, images, []).code(images)
    torch.testing.assert_close(coded.images, network(images), atol=1e-5, rtol=1e-5)
    (pca,) = pca_codecs(Slices(smooth_images(30, 32, 32)), [1 / 64], [])
    (coded,) = pca.code(images)
    assert coded.images.shape == images.shape
    assert coded.values == 4 * 16


def test_jpeg2000_keeps_near_the_bits_and_gets_better_with_them():
    images = smooth_images(3, 64, 48) * 2.5
    coded = list(Jpeg2000([4.0, 1.0, 0.25]).code(images))
    for target, result in zip((4.0, 1.0, 0.25), coded, strict=True):
        assert 0.3 * target < result.bits / images.numel() < 1.15 * target
        assert result.compression == target / 8
        assert math.isnan(result.values)
    quality = [psnr(result, images) for result in coded]
    assert quality == sorted(quality, reverse=True)
    assert quality[0] > 40


def test_jpeg2000_counts_the_data_between_the_markers():
    images = smooth_images(1, 64, 48)
    (result,) = Jpeg2000([1.0]).code(images)
    grey = (images[0, 0] / images.max() * 65535).round().numpy().astype(np.uint16)
    stream = io.BytesIO()
    ratio = 16 * grey.size / (grey.size + 8 * 151)
    Image.fromarray(grey).save(
        stream, "JPEG2000", no_jp2=True, irreversible=True, quality_mode="rates", quality_layers=[ratio]
    )
    assert 8 * len(stream.getvalue()) - result.bits == pytest.approx(8 * 153, abs=8 * 4)
    with pytest.raises(ValueError, match=r"bits per pixel must be positive, got \[1.0, 0\]"):
        Jpeg2000([1.0, 0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("residual_unet", 14),
        ("skip_cae", 14),
        ("shallow_residual_original", 2),
        ("shallow_residual_preactivation", 2),
        ("myronenko_cae", 2),
    ],
)
def test_the_thesis_networks_pass_more_values_than_the_image_has(name, expected):
    images = smooth_images(3)
    network = NETWORKS[name]().eval()
    assert transferred_values(network, images) == expected * images.numel()
    (coded,) = PlainNetwork(network, name, batch_size=2).code(images)
    assert (coded.compression, coded.values) == (expected, expected * images.numel())
    torch.testing.assert_close(coded.images, network(images), atol=1e-5, rtol=1e-5)


def test_an_added_input_counts_as_passed_on():
    images = smooth_images(2)
    assert transferred_values(ResidualUNet(residual_output=True).eval(), images) == 15 * images.numel()
    with pytest.raises(ValueError, match="not known what the decoder of Linear gets to see"):
        transferred_values(torch.nn.Linear(24, 24), images)


def test_networks_become_codecs_by_what_they_can(tmp_path):
    training, device = Slices(smooth_images()), torch.device("cpu")
    compressive, plain = CompressiveAutoencoder(compression=1 / 128), NETWORKS["skip_cae"]()
    for number, network in enumerate((compressive, plain)):
        torch.save(network.state_dict(), tmp_path / f"{number}.pt")
    (codec,) = network_codecs(compressive, str(tmp_path / "0.pt"), training, [8], device)
    assert (codec.name, codec.compression, list(codec.quantisers)) == ("compressive_autoencoder", 1 / 128, [8])
    (codec,) = network_codecs(plain, str(tmp_path / "1.pt"), training, [8], device)
    assert isinstance(codec, PlainNetwork)
    assert codec.name == "skip_cae"
    with pytest.raises(FileNotFoundError, match=r"no weights at .*2\.pt: train first"):
        network_codecs(plain, str(tmp_path / "2.pt"), training, [8], device)
    with pytest.raises(ValueError, match=r"0\.pt do not fit SkipCAE"):
        network_codecs(plain, str(tmp_path / "0.pt"), training, [8], device)


def test_a_dense_code_is_a_codec_named_after_its_recipe(tmp_path):
    network = VariationalAutoencoder(spatial_shape=(48, 64), latent_size=12, channels=(4, 4), strides=(2, 2))
    images = smooth_images(9, 48, 64)
    torch.save(network.state_dict(), tmp_path / "model.pt")
    (codec,) = network_codecs(network, str(tmp_path / "model.pt"), Slices(images), [8], torch.device("cpu"), name="vae")
    exact, coded = codec.code(images)
    assert (codec.name, codec.compression) == ("vae", 12 / (48 * 64))
    assert exact.values == 9 * 12
    assert coded.bits <= 9 * 12 * 8 + 9 * 12
    torch.testing.assert_close(exact.images, network.decode(network.encode(images)), atol=1e-5, rtol=1e-5)


def test_rates_that_a_codec_cannot_have_are_left_out(capsys):
    training = Slices(smooth_images(20, 32, 32))
    found = pca_codecs(training, [1 / 2, 1 / 64, 1 / 128], [4])
    assert [codec.compression for codec in found] == [1 / 64, 1 / 128]
    assert "20 training slices have no 512 components; this rate is left out" in capsys.readouterr().out
    assert pca_codecs(training, [1 / 2], [4]) == []
    found = block_pca_codecs(training, [1 / 2, 1 / 64, 1 / 128], [4])
    assert [codec.compression for codec in found] == [1 / 2, 1 / 64]
    assert jpeg2000_codecs([1 / 2, 1 / 4])[0].targets == [4.0, 2.0]


def test_more_components_are_better_and_fewer_bits_worse():
    training, images = Slices(smooth_images(200)), smooth_images(10, seed=1)
    codecs = block_pca_codecs(training, [1 / 4, 1 / 16, 1 / 64], [8, 2])
    exact, fine, coarse = zip(*([psnr(c, images) for c in codec.code(images)] for codec in codecs), strict=True)
    assert list(exact) == sorted(exact, reverse=True)
    assert all(a >= b - 0.01 > c for a, b, c in zip(exact, fine, coarse, strict=True))


def test_unknown_codecs_are_named():
    makers = {"jpeg2000": lambda: jpeg2000_codecs([0.5]), "pca": list}
    assert len(make_codecs("jpeg2000", makers)) == 1
    with pytest.raises(ValueError, match="codec 'jpeg' is unknown: did you mean jpeg2000"):
        make_codecs(["jpeg"], makers)
    with pytest.raises(ValueError, match="no codec to measure: set codecs to some of jpeg2000, pca"):
        make_codecs(["pca"], makers)
