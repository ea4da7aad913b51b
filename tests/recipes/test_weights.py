# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from scripts.recipes.weights import load_weights, read_weights


def network(width: int = 2) -> nn.Module:
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width))


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    return network().state_dict()


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_network_gets_the_weights_of_the_file_also_those_of_a_parallel_training(state, tmp_path, prefix):
    torch.save({f"{prefix}{name}": value for name, value in state.items()}, tmp_path / "model.pt")
    own = network()
    assert load_weights(own, tmp_path / "model.pt") is own
    assert own.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in own.state_dict().items())


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_weights_that_are_not_finite_are_refused_by_name(state, tmp_path, value):
    state["1.running_var"][1] = value
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"model\.pt have NaN or infinite values in 1\.running_var, .* diverged"):
        load_weights(network(), tmp_path / "model.pt")


def test_a_missing_file_says_how_to_make_it(tmp_path):
    message = r"no weights at .*model\.pt: train first, with python -m monai\.bundle run training .* --weights FILE"
    with pytest.raises(FileNotFoundError, match=message):
        load_weights(network(), tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.weight": None, "0.bias": None}, 'do not fit Sequential: Missing key(s) in state_dict: "0.weight". Give'),
        ({"2.weight": torch.zeros(1)}, 'do not fit Sequential: Unexpected key(s) in state_dict: "2.weight". Give'),
        ({"0.bias": torch.zeros(5)}, "do not fit Sequential: size mismatch for 0.bias: "),
        ({"module.0.bias": torch.zeros(2)}, 'Unexpected key(s) in state_dict: "module.0.bias". Give'),
    ],
)
def test_weights_of_another_network_are_told_by_their_first_key(state, tmp_path, change, message):
    changed = {name: value for name, value in {**state, **change}.items() if value is not None}
    torch.save(changed, tmp_path / "model.pt")
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        load_weights(network(), tmp_path / "model.pt")
    assert "\n" not in str(caught.value)


def test_a_damaged_file_is_told_from_a_checkpoint(state, tmp_path):
    torch.save(state, tmp_path / "whole.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:500])
    (tmp_path / "text.pt").write_text("no weights")
    for name in ("cut.pt", "text.pt"):
        with pytest.raises(ValueError, match=rf"{name} is damaged, or no file of weights"):
            read_weights(tmp_path / name)
    torch.save({"epoch": 3, "network": state}, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match=r"checkpoint\.pt holds more than weights, or none: give a model\.pt"):
        read_weights(tmp_path / "checkpoint.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ValueError, match="holds more than weights, or none"):
        read_weights(tmp_path / "list.pt")


def test_the_global_model_of_flare_is_taken(state, tmp_path):
    torch.save({"model": state, "train_conf": {"train": {"model": "ResidualUNet"}}}, tmp_path / "FL_global_model.pt")
    own = load_weights(network(), tmp_path / "FL_global_model.pt")
    assert all(torch.equal(value, state[name]) for name, value in own.state_dict().items())


def test_nothing_but_tensors_is_unpickled(tmp_path):
    torch.save({"0.weight": torch.zeros(1), "code": print}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match="damaged, or no file of weights"):
        read_weights(tmp_path / "model.pt")
