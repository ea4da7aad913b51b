# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch

from scripts.data.cohort import load_datalist
from scripts.networks import SkipCAE
from scripts.recipes.places import PUBLISHED
from scripts.recipes.trained import TrainedRecipe


@pytest.fixture
def recipe(tmp_path):
    """File of a recipe."""
    path = tmp_path / "mine.yaml"
    path.write_text("recipe: mine\nconfig_file: [configs/train.yaml, configs/net/skip_cae.yaml]\nbatch_size: 3\n")
    return str(path)


def test_a_trained_recipe_is_its_config_and_its_network_with_weights(recipe, tmp_path):
    weights = SkipCAE().state_dict()
    torch.save(weights, tmp_path / "model.pt")
    trained = TrainedRecipe(recipe, str(tmp_path / "model.pt"))
    assert (trained.name, trained.config["batch_size"]) == ("mine", 3)
    assert isinstance(trained.network, SkipCAE)
    assert not trained.network.training
    assert all(torch.equal(value, weights[name]) for name, value in trained.network.state_dict().items())
    assert trained.network is trained.network
    assert isinstance(trained.part("network_def"), SkipCAE)  # another one


def test_it_reads_heads_as_its_training_does(recipe, tiny_cohort):
    items = load_datalist(tiny_cohort, "validation")
    trained = TrainedRecipe(recipe)
    images = trained.dataset(items, progress=False, cache_dir="").images
    assert len(images) == sum(len(item["slices"]) for item in items)
    assert (
        trained.dataset(items, progress=False, cache_dir="", multiple_of=64).images.shape[-1] == 64 > images.shape[-1]
    )
    with pytest.raises(ValueError, match="slices must be indices below"):  # and no RuntimeError of MONAI's
        trained.dataset([items[0] | {"slices": [10**6]}], progress=False, cache_dir="")
    assert trained.config["train"]["dataset"]["cache_dir"] == "@cache_dir"


def test_weights_are_those_of_a_training_here_or_else_the_published_ones(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert TrainedRecipe("vae").weights == PUBLISHED / "vae/model.pt"
    (tmp_path / "eval/vae").mkdir(parents=True)
    (tmp_path / "eval/vae/model.pt").touch()
    assert TrainedRecipe("vae").weights.absolute() == tmp_path / "eval/vae/model.pt"
    with pytest.raises(FileNotFoundError, match=r"no weights at eval/mine/model\.pt"):
        _ = TrainedRecipe(recipe).network
