# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from torch import nn

from scripts.recipes.initial import freeze


def network() -> nn.Sequential:
    block = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    return nn.Sequential(block, nn.Linear(2, 2), nn.BatchNorm1d(2))


def frozen(net: nn.Module) -> set[str]:
    return {name for name, parameter in net.named_parameters() if not parameter.requires_grad}


@pytest.mark.parametrize(
    ("patterns", "expected", "norms"),
    [
        (["0"], {"0.0.weight", "0.0.bias", "0.1.weight", "0.1.bias"}, {"0.1"}),
        (["*.1"], {"0.1.weight", "0.1.bias"}, {"0.1"}),
        (["2.weight", "1"], {"1.weight", "1.bias", "2.weight"}, {"2"}),
        (["*.bias"], {"0.0.bias", "0.1.bias", "1.bias", "2.bias"}, {"0.1", "2"}),
        ([], set(), set()),
    ],
)
def test_frozen_layers_keep_weights_and_statistics(patterns, expected, norms):
    net = freeze(network(), patterns).train()
    assert frozen(net) == expected
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net(torch.randn(8, 3))
    moved = {name.rpartition(".")[0] for name, value in net.state_dict().items() if not value.equal(before[name])}
    assert moved == {"0.1", "2"} - norms


def test_a_pattern_that_fits_nothing_or_all_is_refused():
    with pytest.raises(ValueError, match=r"freeze: no layer is called 'encoder\*'; the outermost are 0, 1, 2\."):
        freeze(network(), ["encoder*"])
    with pytest.raises(ValueError, match=r"freeze \* leaves no parameter to learn"):
        freeze(network(), ["*"])
