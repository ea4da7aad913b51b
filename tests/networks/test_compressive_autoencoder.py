# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io

import numpy as np
import onnxruntime
import pytest
import torch
from scipy.fft import dctn

from scripts.networks import CompressiveAutoencoder
from scripts.networks.compressive_autoencoder import lowest_frequencies

COMPRESSIONS = [1 / 2**k for k in range(1, 9)]


def linear_part(**arguments: object) -> CompressiveAutoencoder:
    """The network as far as it is linear: what the convolutions add is nothing."""
    network = CompressiveAutoencoder(**arguments)
    for part in (network.encoder, network.decoder):
        torch.nn.init.zeros_(part[-1].weight)
    return network.eval()


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("shape", [(2, 1, 32, 48), (1, 1, 16, 32, 16)], ids=["2D", "3D"])
def test_the_latent_has_exactly_the_given_share_of_values(compression, shape):
    x = torch.rand(shape)
    network = CompressiveAutoencoder(len(shape) - 2, compression=compression).eval()
    latent = network.encode(x)
    assert latent.numel() == compression * x.numel()
    assert latent.shape[1] == network.latent_channels
    assert network.decode(latent).shape == x.shape
    torch.testing.assert_close(network.decode(latent), network(x))


def test_several_channels_count_too():
    x = torch.rand(1, 2, 16, 16)
    network = CompressiveAutoencoder(in_channels=2, out_channels=2, compression=1 / 16)
    assert network.encode(x).numel() == x.numel() / 16
    assert network(x).shape == x.shape


def test_nothing_passes_but_the_latent():
    network = CompressiveAutoencoder(compression=1 / 64).eval()
    x = torch.rand(1, 1, 32, 32, requires_grad=True)
    network(x).square().sum().backward()
    jacobian = torch.autograd.functional.jacobian(network.encode, x.detach()).flatten(1).view(16, -1)
    # the gradient of any function of the output is a combination of the latent's 16 gradients
    residual = torch.linalg.lstsq(jacobian.T, x.grad.flatten()[:, None]).solution
    torch.testing.assert_close(jacobian.T @ residual, x.grad.flatten()[:, None], atol=1e-3, rtol=1e-3)


def test_lowest_frequencies_are_those_of_scipys_transform():
    functions = lowest_frequencies(8, 2, 64)
    flat = functions.flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(64), atol=1e-6, rtol=0)
    block = torch.rand(8, 8)
    expected = np.sort(np.abs(dctn(block.numpy(), norm="ortho")).flatten())
    np.testing.assert_allclose(np.sort((flat @ block.flatten()).abs()), expected, atol=1e-5)
    assert (functions[0] == functions[0, 0, 0]).all()  # the constant first
    assert lowest_frequencies(8, 3, 5).shape == (5, 8, 8, 8)


def test_it_starts_as_a_truncated_cosine_transform():
    x = torch.rand(2, 1, 24, 16)
    torch.testing.assert_close(
        linear_part(compression=1 / 64)(x),
        torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(x, 8), scale_factor=8.0),
    )
    errors = [(linear_part(compression=c)(x) - x).square().mean().item() for c in (1 / 2, 1 / 4, 1 / 8, 1 / 16)]
    assert errors == sorted(errors)


@pytest.mark.parametrize("shape", [(1, 1, 24, 40), (1, 1, 8, 8)])
def test_sizes_that_are_no_multiple_of_16_are_padded_and_cut_back(shape):
    network, x = CompressiveAutoencoder(compression=1 / 256).eval(), torch.rand(shape)
    assert network.encode(x).shape[2:] == tuple(-(-size // 16) for size in shape[2:])
    assert network(x).shape == x.shape
    padded = torch.zeros(1, 1, *(-(-size // 16) * 16 for size in shape[2:]))
    padded[..., : shape[2], : shape[3]] = x
    torch.testing.assert_close(network(x), network(padded)[..., : shape[2], : shape[3]])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_torchscript_and_onnx_pad_too(tmp_path):
    network, path = CompressiveAutoencoder(compression=1 / 128).eval(), tmp_path / "network.onnx"
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(network), file)
    file.seek(0)
    x = torch.rand(3, 1, 24, 40)
    torch.testing.assert_close(torch.jit.load(file)(x), network(x))
    axes = {"image": {0: "batch", 2: "height", 3: "width"}}
    torch.onnx.export(
        network, (torch.rand(1, 1, 16, 16),), path, input_names=["image"], dynamic_axes=axes, dynamo=False
    )
    restored = onnxruntime.InferenceSession(path).run(None, {"image": x.numpy()})[0]
    np.testing.assert_allclose(restored, network(x).detach(), atol=1e-5)


@pytest.mark.parametrize("compression", [0.3, 1.0, 2.0, 1 / 1024, 0.0])
def test_a_share_that_gives_no_whole_number_of_channels_is_refused(compression):
    with pytest.raises(ValueError, match=rf"whole number of latent channels, got {compression:g}: take 1/2"):
        CompressiveAutoencoder(compression=compression)
