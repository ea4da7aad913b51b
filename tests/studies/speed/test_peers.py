# SPDX-License-Identifier: Apache-2.0
"""The peers do the same work."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scripts.networks import NETWORKS
from scripts.studies.speed import monai_way
from scripts.studies.speed.counter import network_layers
from scripts.studies.speed.ours import Task, train_config
from scripts.studies.speed.sample import take_sample
from scripts.studies.speed.tensorflow_way import find_tensorflow, tensorflow_child

THESIS = [
    name for name, network in NETWORKS.items() if hasattr(network, "thesis_l2_layers")
]  # those with a translation


@pytest.fixture(scope="module")
def task(tiny_cohort, tmp_path_factory) -> Task:
    folder = tmp_path_factory.mktemp("speed")
    return Task(take_sample(tiny_cohort, folder, 2, 1, 1), "residual_unet", "cpu", 0, str(folder))


def test_a_sample_is_a_smaller_cohort(task):
    sample = task.sample
    assert sample.name == "tiny (2 of 3 training, 1 of 1 validation, 1 of 1 test subjects)"
    assert sample.slice_shape == (24, 32)  # superior to inferior, anterior to posterior
    assert sample.volume_slices == 5
    assert [path.name for path in Path(sample.volumes_dir).iterdir()] == ["0_e.nii.gz"]


def test_monai_is_given_the_same_slices(task):
    ours = train_config(task).get_parsed_content("train#dataset")
    theirs = torch.stack(monai_way._slices(task, "training"))
    # half precision; and MONAI maps the lowest intensity to 0, here 0 itself stays 0
    torch.testing.assert_close(theirs.as_tensor(), ours.images.float(), rtol=0, atol=5e-3)


def test_monais_damage_is_as_strong(task):
    config = train_config(task)
    prepare_batch = config.get_parsed_content("train#prepare_batch")
    image = torch.full((400, 1, 48, 48), 0.5)
    keys = torch.arange(400)
    damaged, _ = prepare_batch({"image": image, "subject": keys, "slice": keys}, torch.device("cpu"))
    untouched = config.get_parsed_content("corruption").untouched_prob
    torch.manual_seed(0)
    damage = monai_way.Compose(monai_way._damage()).set_random_state(0)
    theirs = torch.stack([damage({"image": one})["image"] for one in image]).as_tensor()
    ours_error, their_error = ((values - image).square().mean() for values in (damaged, theirs))
    # a fifth of the images have a hole of random size: of 400, the mean has a standard error of a tenth
    assert float(ours_error / (1 - untouched)) == pytest.approx(float(their_error), rel=0.4)


@pytest.mark.parametrize("name", THESIS)
def test_keras_layers_have_the_networks_weights(name):
    network = NETWORKS[name]()
    layers = network_layers(network)
    assert layers[0][3] == ["x"]
    known = {"x"}
    for layer, _, _, sources, _ in layers:
        assert set(sources) <= known
        known.add(layer)
    values = sum(weight.size for *_, weights in layers for weight in weights)
    assert values == sum(v.numel() for key, v in network.state_dict().items() if "num_batches" not in key)
    assert layers[-1][1:3] == ("Activation", {"activation": "sigmoid"})


def test_a_network_without_translation_is_refused(task, tmp_path):
    with pytest.raises(NotImplementedError, match="Linear has no translation to Keras"):
        network_layers(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU()))
    with pytest.raises(ChildProcessError, match="Conv2d has no translation to Keras"):
        tensorflow_child(tmp_path / "log", "python", "forward", replace(task, network="compressive_autoencoder"))
    with pytest.raises(NotImplementedError, match=r"Sine calls .*sin"):
        network_layers(Sine())


class Sine(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(x)


@pytest.mark.slow
@pytest.mark.parametrize("name", THESIS)
def test_tensorflow_computes_the_same(task, name, tmp_path):
    python = find_tensorflow(os.environ.get("BRAIN_MRI_TENSORFLOW", ""))
    if not python:
        pytest.skip("no TensorFlow: set BRAIN_MRI_TENSORFLOW to a Python that has it")
    with tensorflow_child(tmp_path / "log", python, "forward", replace(task, network=name)) as child:
        theirs = torch.as_tensor(child._ask("output"))[..., 0]
        assert child.run(2).slices == 2 * len(theirs)
    torch.manual_seed(task.seed)
    network, images = NETWORKS[name]().eval(), torch.rand(len(theirs), *task.sample.slice_shape, 1)
    with torch.no_grad():
        ours = network(images.movedim(-1, 1))[:, 0]
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-5)  # sums in another order


def test_a_python_without_tensorflow_is_refused(tmp_path):
    with pytest.raises(ValueError, match="tensorflow_python '/no/such/python' is no Python with TensorFlow"):
        find_tensorflow("/no/such/python")
