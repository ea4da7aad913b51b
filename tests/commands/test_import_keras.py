# SPDX-License-Identifier: Apache-2.0
"""Published weights: parity with Keras, every layout of file, every wrong file."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from scripts.__main__ import main
from scripts.files.keras import KerasLayers, read_keras_layers
from scripts.networks import NETWORKS, THESIS_NETWORKS
from scripts.networks.published_weights import convert_keras_weights

PARITY = {
    "residual_unet_mse": "residual_unet",
    "residual_unet_dssim": "residual_unet",
    "shallow_full_pre_mse_l2": "shallow_residual_preactivation",
    "skip_cae_dssim_l2": "skip_cae",
    "skip_cae_mse_noaug": "skip_cae",
}
VARIANTS = [(name, {}) for name in THESIS_NETWORKS] + [
    (name, {"double_norm": True}) for name in ("shallow_residual_original", "shallow_residual_preactivation")
]
every_variant = pytest.mark.parametrize(("name", "arguments"), VARIANTS, ids=str)


def random_network(name: str, **arguments: object) -> torch.nn.Module:
    torch.manual_seed(0)
    network = NETWORKS[name](**arguments).eval()
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.1, 1.0)
    return network


def to_keras(name: str, network: torch.nn.Module) -> KerasLayers:
    """Layers as Keras holds them, in the order of the network; a pattern becomes ``conv2d``, ``conv2d_1``, ..."""
    layers: KerasLayers = {}
    for place, module in network.named_modules():
        if isinstance(module, _BatchNorm):
            values = module.weight, module.bias, module.running_mean, module.running_var
            names = "gamma", "beta", "moving_mean", "moving_variance"
            arrays = {key: value.detach().numpy() for key, value in zip(names, values, strict=True)}
            layers[f"norm_{len(layers)}"] = arrays
        elif place in THESIS_NETWORKS[name].keras_layers:
            kernel = np.transpose(module.weight.detach().numpy(), (2, 3, 1, 0))
            keras_name = THESIS_NETWORKS[name].keras_layers[place].replace("*", f"_{len(layers)}")
            layers[keras_name] = {"kernel": kernel, "bias": module.bias.detach().numpy()}
    return layers


def write(path: Path, layers: KerasLayers, layout: str) -> Path:
    if layout == "npz":
        flat = {f"weights/{layer}/{key}:0": value for layer, values in layers.items() for key, value in values.items()}
        np.savez(path, **flat)
        return path
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if layout == "model" else file
        root.attrs["layer_names"] = [name.encode() for name in ("input_1", *layers, "add")]
        for layer, values in {"input_1": {}, **layers, "add": {}}.items():
            group = root.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{key}:0".encode() for key in values]
            for key, value in values.items():
                group[f"{layer}/{key}:0"] = value
    return path


@pytest.mark.parametrize(("file", "name"), PARITY.items())
def test_published_network_answers_as_in_keras(file, name, real_data, tmp_path, capsys):
    weights, output = real_data / "keras_parity" / f"{file}.npz", tmp_path / "model.pt"
    convert_keras_weights(weights, name, output)
    network = NETWORKS[name]().eval()
    network.load_state_dict(torch.load(output, weights_only=True))
    data = np.load(weights)
    with torch.no_grad():
        answer = network(torch.from_numpy(data["input"]).movedim(-1, 1)).movedim(1, -1).numpy()
    difference = np.abs(answer - data["output"]).max()
    with capsys.disabled():
        sys.stdout.write(f" {file}: largest difference from Keras {difference:.1e} ")
    assert difference < 1e-5


@every_variant
@pytest.mark.parametrize("layout", ["model", "weights", "npz"])
def test_every_layout_restores_every_parameter(name, arguments, layout, tmp_path):
    network = random_network(name, **arguments)
    path = write(tmp_path / f"file.{'npz' if layout == 'npz' else 'h5'}", to_keras(name, network), layout)
    message = convert_keras_weights(path, name, tmp_path / "new" / "model.pt")
    state = torch.load(tmp_path / "new" / "model.pt", weights_only=True)
    assert state.keys() == network.state_dict().keys()
    assert all(torch.equal(state[key], value) for key, value in network.state_dict().items())
    assert f"configs/net/{name}{'_double_norm' if arguments else ''}.yaml" in message


def test_layers_are_read_in_the_order_of_the_graph(tmp_path):
    layers = {name: {"bias": np.zeros(1)} for name in ("b", "c", "a")}  # HDF5 itself sorts by name
    assert list(read_keras_layers(write(tmp_path / "file.h5", layers, "model"))) == ["b", "c", "a"]


def test_unknown_network_is_answered_with_the_nearest_name(tmp_path):
    with pytest.raises(ValueError, match=r"called 'residual_u_net'\. Did you mean 'residual_unet'\?"):
        convert_keras_weights(Path("any.h5"), "residual_u_net", tmp_path / "model.pt")


def test_weights_of_another_network_are_refused_by_layer_and_recognised(tmp_path):
    layers = to_keras("skip_cae", random_network("skip_cae"))
    path = write(tmp_path / "file.h5", layers, "model")
    with pytest.raises(ValueError, match=r"missing layer 'FP_RB1_C1'.* They fit network skip_cae\."):
        convert_keras_weights(path, "residual_unet", tmp_path / "model.pt")
    assert not (tmp_path / "model.pt").exists()


def test_same_names_but_other_shapes_are_refused_by_layer(tmp_path):
    layers = to_keras("residual_unet", random_network("residual_unet"))
    path = write(tmp_path / "file.h5", layers, "weights")
    with pytest.raises(ValueError, match=r"layer 'UP2_C1', variable 'kernel', has shape \(3, 3, 32, 128\)"):
        convert_keras_weights(path, "shallow_residual_preactivation", tmp_path / "model.pt")


def test_missing_unexpected_and_incomplete_layers_are_named(tmp_path):
    layers = to_keras("skip_cae", random_network("skip_cae"))
    without = {name: values for name, values in layers.items() if name != "DConv2"}
    cases = {
        "missing layer 'DConv2'": without,
        "unexpected layer 'dense'": {**layers, "dense": {"kernel": np.zeros((2, 2))}},
        "7 batch normalisations instead of 6": {**layers, "more": layers["norm_1"]},
        "the weights lack head.bias": {**layers, "DConvCH": {"kernel": layers["DConvCH"]["kernel"]}},
    }
    for message, wrong in cases.items():
        path = write(tmp_path / "file.h5", wrong, "model")
        with pytest.raises(ValueError, match=message):
            convert_keras_weights(path, "skip_cae", tmp_path / "model.pt")


def test_files_that_are_no_weights_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file: .*absent\.h5"):
        read_keras_layers(tmp_path / "absent.h5")
    (tmp_path / "text.h5").write_text("weights")
    with pytest.raises(ValueError, match=r"text\.h5 is neither HDF5 nor npz"):
        read_keras_layers(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = [1, 2, 3]
    with pytest.raises(ValueError, match=r"other\.h5 lacks the attribute layer_names"):
        read_keras_layers(tmp_path / "other.h5")
    np.savez(tmp_path / "other.npz", input=np.zeros(3))
    with pytest.raises(ValueError, match=r"other\.npz holds no weights"):
        read_keras_layers(tmp_path / "other.npz")


def test_command_line(tmp_path, capsys):
    path = write(tmp_path / "file.h5", to_keras("skip_cae", random_network("skip_cae")), "model")
    typed = ["import-keras", str(path), str(tmp_path / "model.pt"), "--network"]
    assert main([*typed, "skip_cae"]) == 0
    assert "parameters of skip_cae, to use with configs/net/skip_cae.yaml" in capsys.readouterr().out
    assert main([*typed, "residual_unet"]) == 1
    assert "They fit network skip_cae" in capsys.readouterr().err
    assert main(typed[:3]) == 2
    assert "the following arguments are required: --network" in capsys.readouterr().err
