# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from scripts.engines import accelerate, bfloat16_pays, fold_batch_norm
from scripts.networks import NETWORKS, ResidualUNet, SkipCAE


def network(kind=ResidualUNet, **arguments) -> torch.nn.Module:
    torch.manual_seed(0)
    return kind(**arguments).eval()


def images() -> torch.Tensor:
    return torch.rand(2, 1, 24, 40, generator=torch.Generator().manual_seed(1))


def test_the_plain_network_is_left_as_it_is():
    made = accelerate(network(), "cpu", amp=False, channels_last=False)
    assert torch.equal(made(images()), network()(images()))
    assert made.down1.conv1.weight.is_contiguous()


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_channels_last_changes_the_layout_and_not_the_values(spatial_dims):
    made = accelerate(network(SkipCAE, spatial_dims=spatial_dims), "cpu", amp=False)
    layout = {2: torch.channels_last, 3: torch.channels_last_3d}[spatial_dims]
    assert all(p.is_contiguous(memory_format=layout) for p in made.parameters() if p.ndim == spatial_dims + 2)
    x = images() if spatial_dims == 2 else images()[..., None].expand(-1, -1, -1, -1, 8)
    # float32 sums in another order
    torch.testing.assert_close(made(x), network(SkipCAE, spatial_dims=spatial_dims)(x), rtol=1e-4, atol=1e-6)


def test_bfloat16_is_near_and_the_result_is_float32():
    made, plain = accelerate(network(SkipCAE), "cpu", amp=True), network(SkipCAE)
    result = made(images())
    assert result.dtype == torch.float32
    assert not torch.equal(result, plain(images()))
    torch.testing.assert_close(result, plain(images()), rtol=0, atol=0.02)  # 8 bits of mantissa, 10 layers
    assert made.state_dict().keys() == plain.state_dict().keys()
    assert all(parameter.dtype == torch.float32 for parameter in made.parameters())


@pytest.mark.skipif(not Path("/proc/cpuinfo").is_file(), reason="the flags of the processor are read from /proc")
def test_bfloat16_pays_where_the_processor_has_instructions_for_it():
    flags = Path("/proc/cpuinfo").read_text().split()
    assert bfloat16_pays("cpu") == ("avx512_bf16" in flags or "amx_bf16" in flags)


FREED = """
import resource, torch
from scripts.engines import keep_freed_memory
KEEP and keep_freed_memory()
blocks = [torch.ones(2**22) for _ in range(16)]
del blocks
used = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
print(used / 2**20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_freed_memory_is_kept(root):
    def megabytes(keep):
        code = FREED.replace("KEEP", str(keep))
        return float(subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True).stdout)

    assert megabytes(True) - megabytes(False) > 200  # the blocks have 256


@pytest.mark.slow
def test_a_compiled_network_trains_alike():
    plain, compiled = network(SkipCAE), accelerate(network(SkipCAE), "cpu", amp=False, compile=True)
    for made in (plain, compiled):
        made(images()).square().mean().backward()
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(compiled.get_parameter(name).grad, parameter.grad, rtol=1e-3, atol=1e-6)
    assert compiled.state_dict().keys() == plain.state_dict().keys()


def test_accelerated_network_keeps_its_names_and_gives_float32():
    network = ResidualUNet(residual_output=True)
    names = list(network.state_dict())
    torch.nn.init.normal_(network.head.conv.weight if hasattr(network.head, "conv") else network.head.weight, std=0.1)
    image = torch.rand(2, 1, 16, 24)
    network.eval()
    exact = network(image)
    fast = accelerate(network, "cpu", amp=True)
    assert list(fast.state_dict()) == names
    assert fast(image).dtype == torch.float32
    # bfloat16 keeps 8 bits of each product; the correction is of order 1 here
    torch.testing.assert_close(fast(image), exact, rtol=0, atol=0.05 * float((exact - image).abs().max()))


def with_statistics(network: nn.Module) -> nn.Module:
    """Give every normalisation statistics and weights that matter."""
    generator = torch.Generator().manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d):
            for values in (layer.running_mean, layer.running_var, layer.weight.data, layer.bias.data):
                values.copy_(torch.rand(values.shape, generator=generator) + 0.5)
    return network.eval()


def norms(network: nn.Module) -> int:
    """Count the normalisations that are called."""
    calls = []
    hooks = [
        layer.register_forward_hook(lambda *_: calls.append(1))
        for layer in network.modules()
        if isinstance(layer, nn.BatchNorm2d | nn.BatchNorm3d)
    ]
    with torch.no_grad():
        network(torch.rand(1, 1, 16, 24))
    for hook in hooks:
        hook.remove()
    return len(calls)


@pytest.mark.parametrize("spatial_dims", [2, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_the_function_stays_and_the_network_is_left_alone(name, spatial_dims):
    torch.manual_seed(0)
    network = with_statistics(NETWORKS[name](spatial_dims=spatial_dims))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    images = torch.rand(2, 1, *(16, 24, 8)[:spatial_dims])
    with torch.no_grad():
        expected, result = network(images), fold_batch_norm(network)(images)
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)  # float32, up to 14 layers
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_only_normalisations_after_a_convolution_are_merged():
    network = NETWORKS["residual_unet"]()
    assert norms(network.eval()) == 9
    assert norms(fold_batch_norm(network)) == 3  # the first of each pre-activation block


def test_sizes_are_still_checked():
    with pytest.raises(ValueError, match=r"spatial shape \(12, 16\) is not divisible by 8"):
        fold_batch_norm(NETWORKS["skip_cae"]().eval())(torch.zeros(1, 1, 12, 16))


def test_a_network_that_cannot_be_traced_is_given_back():
    class Branching(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    network = Branching()
    assert fold_batch_norm(network) is network
