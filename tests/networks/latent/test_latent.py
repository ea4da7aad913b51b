# SPDX-License-Identifier: Apache-2.0
"""The networks with a dense latent: image in, image out, and the latent on request."""

from __future__ import annotations

import copy
import io

import pytest
import torch

from scripts.networks.latent import DenseAutoencoder, VariationalAutoencoder

SHAPES = {2: (16, 24), 3: (8, 16, 24)}
every_network = pytest.mark.parametrize("network_class", [DenseAutoencoder, VariationalAutoencoder])


def make(network_class, spatial_dims: int = 2, **arguments):
    torch.manual_seed(0)
    settings = {"spatial_shape": SHAPES[spatial_dims], "channels": (4, 8, 8), "latent_size": 5} | arguments
    return network_class(spatial_dims=spatial_dims, **settings)


def images(spatial_dims: int = 2, channels: int = 1) -> torch.Tensor:
    return torch.rand(3, channels, *SHAPES[spatial_dims], generator=torch.Generator().manual_seed(1))


@every_network
@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize(("channels", "output"), [(1, "identity"), (1, "sigmoid"), (4, "softmax")])
def test_output_has_the_shape_of_the_input_and_the_range_it_says(network_class, spatial_dims, channels, output):
    network = make(network_class, spatial_dims, in_channels=channels, output=output).eval()
    x = images(spatial_dims, channels)
    y = network(x)
    assert y.shape == x.shape
    assert network.encode(x).shape == (3, 5)
    torch.testing.assert_close(network.decode(network.encode(x)), y)
    if output != "identity":
        assert 0 <= y.min() < y.max() <= 1
    if output == "softmax":
        torch.testing.assert_close(y.sum(1), torch.ones(3, *SHAPES[spatial_dims]))


@every_network
def test_gradient_reaches_every_parameter(network_class):
    torch.manual_seed(0)
    # a posterior's variance is used in training only; the bias before a batch normalisation has no gradient then
    network = make(network_class).train()
    network(images()).square().sum().backward()
    without = [key for key, value in network.named_parameters() if value.grad is None]
    assert without == []


@every_network
def test_channels_last_images_are_accepted(network_class):
    network, x = make(network_class).eval(), images()
    torch.testing.assert_close(network(x.to(memory_format=torch.channels_last)), network(x))


@every_network
def test_eval_is_deterministic(network_class):
    network, x = make(network_class).eval(), images()
    assert torch.equal(network(x), network(x))
    assert torch.equal(network.latents.z, network.latents.mu)


@every_network
def test_attributes_of_the_batch_are_kept_for_the_loss(network_class):
    network, attributes = make(network_class), torch.rand(3, 2)
    network(images(), attributes=attributes)
    assert network.latents.attributes is attributes


@every_network
def test_a_network_in_training_can_be_copied(network_class):
    network, x = make(network_class), images()
    network(x).sum().backward()
    clone = copy.deepcopy(network)
    assert network.latents is not None
    assert clone.latents is None
    assert torch.equal(clone.eval()(x), network.eval()(x))
    assert clone.mu.weight is not network.mu.weight


@every_network
def test_torchscript_and_onnx_give_the_same(network_class, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    network, x = make(network_class).eval(), images()
    expected = network(x).detach()
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(network), file)
    file.seek(0)
    torch.testing.assert_close(torch.jit.load(file)(x), expected)
    path = tmp_path / "network.onnx"
    torch.onnx.export(network, (x,), path, input_names=["image"], dynamo=False)
    restored = onnxruntime.InferenceSession(path).run(None, {"image": x.numpy()})[0]
    torch.testing.assert_close(torch.from_numpy(restored), expected, atol=1e-5, rtol=1e-4)


def test_sampled_codes_have_the_mean_and_variance_of_the_posterior():
    network = make(VariationalAutoencoder, channels=(2, 2, 2)).train()
    torch.nn.init.normal_(network.logvar.bias, std=2.0)
    with torch.no_grad():
        network.encoder.eval()
        x = images()[:1].expand(20_000, -1, -1, -1)
        mu, logvar = network.posterior(x)
        network.decoder = torch.nn.Identity()
        network(x)
    z, std = network.latents.z, torch.exp(0.5 * logvar[0])
    torch.testing.assert_close((z.mean(0) - mu[0]) / std, torch.zeros(5), atol=0.03, rtol=0)  # 4 standard errors
    torch.testing.assert_close(z.std(0) / std, torch.ones(5), atol=0.02, rtol=0)
    correlation = torch.corrcoef(z.T) - torch.eye(5)
    assert correlation.abs().max() < 0.03


def test_training_passes_are_counted_and_saved():
    network = make(VariationalAutoencoder)
    network(images())
    network(images())
    network.eval()(images())
    assert network.state_dict()["training_passes"] == 2


def test_neurons_are_linear_in_the_sampled_code():
    network = make(VariationalAutoencoder, num_neurons=1)
    network(images())
    z, neuron = network.latents.z, network.latents.neuron
    torch.testing.assert_close(neuron, z @ network.neuron.weight.T + network.neuron.bias)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spatial_shape": (16, 20)}, r"\(16, 20\) must be divisible by 8(?s:.*)Use \(16, 24\)"),
        ({"spatial_shape": (16,)}, r"must have spatial_dims = 2 sizes, got \(16,\)"),
        ({"output": "relu"}, "output must be one of identity, sigmoid, softmax, got 'relu'"),
        ({"num_neurons": -1}, "num_neurons must be 0 or more, got -1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make(VariationalAutoencoder, **arguments)


def test_other_than_2_or_3_spatial_axes_are_refused():
    with pytest.raises(ValueError, match="spatial_dims must be 2 or 3, got 1"):
        DenseAutoencoder(spatial_dims=1)


@every_network
def test_an_image_of_another_size_is_refused(network_class):
    with pytest.raises(ValueError, match=r"must have the shape \(B, 1, 16, 24\), got \(1, 1, 24, 24\)"):
        make(network_class)(torch.rand(1, 1, 24, 24))
