# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from scripts.networks import ResidualUNet
from scripts.studies.speed.counter import Counter

FLOAT = 4


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_a_convolution_by_hand(mode):
    image, kernel = torch.rand(1, 2, 8, 10), torch.rand(3, 2, 3, 3)
    with mode(), Counter() as counter:
        F.conv2d(image, kernel)
    outputs = 3 * 6 * 8
    assert counter.operations == {"float32": 2 * 9 * 2 * outputs}  # 9 places of 2 channels, multiplied and added
    assert counter.bytes_moved == FLOAT * (1 * 2 * 8 * 10 + 3 * 2 * 3 * 3 + outputs)


def test_operations_are_those_of_torchs_own_counter_also_backward():
    network, image = ResidualUNet(), torch.rand(2, 1, 16, 24)
    with FlopCounterMode(display=False) as expected:
        network(image).mean().backward()
    with Counter() as counter:
        network(image).mean().backward()
    assert sum(counter.operations.values()) == expected.get_total_flops()


def test_operations_are_counted_by_dtype():
    with Counter() as counter:
        torch.ones(2, 3) @ torch.ones(3, 4)
        torch.ones(2, 3, dtype=torch.bfloat16) @ torch.ones(3, 4, dtype=torch.bfloat16)
    assert counter.operations == {"float32": 48, "bfloat16": 48}


def test_views_cost_nothing_and_work_in_place_counts_what_it_changes():
    image, more = torch.rand(4, 10), torch.rand(4, 10)
    with Counter() as counter:
        image[1:].T.reshape(10, 3)[:, None].expand(10, 5, 3)
    assert counter.bytes_moved == 0
    with Counter() as counter:
        image.add_(more)
    assert counter.bytes_moved == 3 * 40 * FLOAT  # reads both, writes one


def test_an_expanded_tensor_is_as_large_as_its_memory():
    with Counter() as counter:
        torch.rand(1, 10).expand(7, 10).clone()
    assert counter.bytes_moved == (10 + 10 + 70) * FLOAT  # random numbers written, read once, written seven times


def test_picking_reads_what_is_picked():
    images, rows = torch.rand(1000, 5), torch.tensor([3, 7])
    with Counter() as counter:
        images[rows]
    assert counter.bytes_moved == 2 * (2 * 5 * FLOAT) + 2 * 8  # read and written; the indices


def test_a_fused_optimiser_writes_though_it_returns_nothing():
    parameter = torch.nn.Parameter(torch.zeros(100))
    parameter.grad = torch.ones(100)
    optimizer = torch.optim.SGD([parameter], lr=0.1, fused=True)
    with Counter() as counter:
        optimizer.step()
    assert counter.bytes_moved >= 3 * 100 * FLOAT  # parameter and gradient read, parameter written


def test_costs_of_a_slice():
    with Counter() as counter:
        torch.ones(2, 3) @ torch.ones(3, 4)
    counted = counter.per_slice(2)
    assert counted.operations == {"float32": 24}
    assert counted.bytes_moved == (6 + 12 + 6 + 12 + 8) * FLOAT / 2
