# SPDX-License-Identifier: Apache-2.0
"""The contract that every network of ``NETWORKS`` keeps, without a change here for a new one."""

from __future__ import annotations

import io

import numpy as np
import onnxruntime
import pytest
import torch

from scripts import networks
from scripts.networks.blocks import SIZE_MULTIPLE
from tests.helpers.basic_unet import SmallBasicUNet

NETWORKS = {**networks.NETWORKS, "basic_unet": SmallBasicUNet}  # and one that someone else adds
SHAPES = {2: (2, 1, 2, 5), 3: (1, 1, 1, 3, 2)}  # spatial sizes in multiples of what the network divides by
every_network = pytest.mark.parametrize("name", sorted(NETWORKS))
both_dims = pytest.mark.parametrize("spatial_dims", [2, 3], ids=["2D", "3D"])


def make(name: str, spatial_dims: int = 2, **arguments: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return NETWORKS[name](spatial_dims=spatial_dims, **arguments)


def multiple(name: str) -> int:
    return getattr(NETWORKS[name], "size_multiple", SIZE_MULTIPLE)


def image(name: str, spatial_dims: int = 2) -> torch.Tensor:
    batch, channels, *sizes = SHAPES[spatial_dims]
    shape = (batch, channels, *(size * multiple(name) for size in sizes))
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


def test_networks_lists_the_five_of_the_thesis():
    assert {"residual_unet", "shallow_residual_original", "shallow_residual_preactivation"} <= NETWORKS.keys()
    assert {"skip_cae", "myronenko_cae"} <= NETWORKS.keys()


@every_network
@both_dims
def test_output_has_the_shape_of_the_input(name, spatial_dims):
    x = image(name, spatial_dims)
    y = make(name, spatial_dims)(x)
    assert y.shape == x.shape
    assert y.isfinite().all()


@every_network
@both_dims
def test_gradient_reaches_every_parameter(name, spatial_dims):
    # in eval mode: in training, the batch normalisation after a convolution cancels the gradient of its bias
    network = make(name, spatial_dims).eval()
    network(image(name, spatial_dims)).square().sum().backward()
    without = [key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert without == []


@every_network
def test_eval_is_deterministic_and_does_not_depend_on_the_batch(name):
    network, x = make(name).eval(), image(name)
    with torch.no_grad():
        together = network(x)
        assert torch.equal(together, network(x))
        # a convolution may sum in another order for another batch size
        torch.testing.assert_close(together[:1], network(x[:1]), atol=1e-6, rtol=1e-5)


@every_network
def test_state_survives_saving_with_weights_only(name):
    network, x = make(name).eval(), image(name)
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    torch.manual_seed(2)
    other = NETWORKS[name]().eval()
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(x), network(x))


@every_network
@both_dims
def test_torchscript_gives_the_same(name, spatial_dims):
    network, x = make(name, spatial_dims).eval(), image(name, spatial_dims)
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(network), file)
    file.seek(0)
    torch.testing.assert_close(torch.jit.load(file)(x), network(x))


@every_network
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_onnx_gives_the_same_for_another_size_than_the_exported_one(name, tmp_path):
    network, path = make(name).eval(), tmp_path / "network.onnx"
    axes = {"image": {0: "batch", 2: "height", 3: "width"}}
    # the older of the two exporters: seconds faster; the newer one has a slow test of its own
    torch.onnx.export(network, (image(name),), path, input_names=["image"], dynamic_axes=axes, dynamo=False)
    x = torch.rand(3, 1, 3 * multiple(name), 4 * multiple(name))
    restored = onnxruntime.InferenceSession(path).run(None, {"image": x.numpy()})[0]
    np.testing.assert_allclose(restored, network(x).detach(), atol=1e-5)


@pytest.mark.slow
@every_network
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_onnx_by_way_of_torch_export_finds_the_multiples_by_itself(name, tmp_path):
    network, path = make(name).eval(), tmp_path / "network.onnx"
    axes = {"image": {0: "batch", 2: "height", 3: "width"}}
    torch.onnx.export(network, (image(name),), path, input_names=["image"], dynamic_axes=axes, dynamo=True)
    x = torch.rand(3, 1, 3 * multiple(name), 4 * multiple(name))
    restored = onnxruntime.InferenceSession(path).run(None, {"image": x.numpy()})[0]
    np.testing.assert_allclose(restored, network(x).detach(), atol=1e-5)


@every_network
def test_a_size_that_is_no_multiple_is_refused_with_the_padded_one(name):
    network, of = make(name).eval(), multiple(name)
    message = rf"spatial shape \({2 * of}, {2 * of + 5}\) is not divisible by {of}(?s:.*)Pad to \({2 * of}, {3 * of}\)"
    with pytest.raises(ValueError, match=message):
        network(torch.rand(1, 1, 2 * of, 2 * of + 5))


@every_network
def test_other_than_2_or_3_spatial_axes_are_refused(name):
    with pytest.raises(ValueError, match="spatial_dims must be 2 or 3, got 1"):
        NETWORKS[name](spatial_dims=1)
