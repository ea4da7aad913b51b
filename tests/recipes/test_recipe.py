# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from scripts.networks import THESIS_NETWORKS
from scripts.recipes.recipe import CONFIGS, build, find_recipe, find_recipes, grid_recipes, merged_config


def test_the_factorial_has_every_network_with_every_loss_with_and_without_l2():
    found = {tuple(Path(file).stem for file in recipe.files[3:]) for recipe in find_recipes("factorial_*")}
    losses, l2 = ("mse", "dssim"), ((), ("kernel_l2_all",))
    assert found == {(network, loss, *term) for network in THESIS_NETWORKS for loss in losses for term in l2}


def test_a_cell_of_a_grid_tells_the_runner_its_files_and_its_name():
    (recipe,) = find_recipes("factorial_skip_cae_dssim_kernel_l2_all")
    arguments = recipe.arguments()
    assert arguments["recipe"] == recipe.name
    assert arguments["config_file"][-3:] == [
        "configs/net/skip_cae.yaml", "configs/loss/dssim.yaml", "configs/reg/kernel_l2_all.yaml",
    ]  # fmt: skip
    assert recipe.data == "unit_range"


def test_a_recipe_file_is_named_by_its_stem_or_its_path():
    by_name, by_path = (
        find_recipes(p)[0] for p in ("residual_unet_mse", str(CONFIGS / "recipe/residual_unet_mse.yaml"))
    )
    assert by_name == by_path
    assert by_name.arguments() == {"args_file": "configs/recipe/residual_unet_mse.yaml"}
    assert by_name.data == "default"


def test_several_patterns_give_each_recipe_once():
    names = [recipe.name for recipe in find_recipes("thesis_skip_*,thesis_skip_cae_mse")]
    assert len(names) == len(set(names)) == 5
    assert find_recipes(("thesis_skip_cae_mse", "residual_unet_mse"))[1].name == "residual_unet_mse"


def test_a_pattern_without_a_recipe_is_an_error_with_the_nearest_name():
    with pytest.raises(ValueError, match=r"no recipe fits 'factoral_\*': did you mean factorial_"):
        find_recipes("factoral_*")
    with pytest.raises(FileNotFoundError, match=r"there is no recipe file nowhere\.yaml"):
        find_recipes("nowhere.yaml")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("net: [skip_cae]\n", ValueError, "must have the keys config_file"),
        ("config_file: [configs/train.yaml]\ngrid: {net: [skip]}\n", FileNotFoundError, r"configs/net/skip\.yaml"),
    ],
)
def test_a_bad_grid_says_what_is_wrong(tmp_path, text, error, message):
    (tmp_path / "grid.yaml").write_text(text)
    with pytest.raises(error, match=message):
        grid_recipes(tmp_path / "grid.yaml")


def test_a_recipe_without_a_list_of_files_is_refused(tmp_path):
    (tmp_path / "odd.yaml").write_text("max_epochs: 3\n")
    with pytest.raises(ValueError, match="is no recipe: it must list its files under config_file"):
        find_recipes(str(tmp_path / "odd.yaml"))


def test_overrides_win_and_must_patch_something():
    (recipe,) = find_recipes("residual_unet_mse")
    assert merged_config(recipe, {"max_epochs": 3})["max_epochs"] == 3
    with pytest.raises(ValueError, match="residual_unet_mse has no such value to set"):
        merged_config(recipe, {"network_def#blocks#in_channels": 3})
    with pytest.raises(ValueError, match="unknown key 'netwrok_def': did you mean network_def"):
        merged_config(recipe, {"netwrok_def#in_channels": 3})


def test_a_pattern_can_have_seeds_of_its_own():
    found = {recipe.name: recipe.seeds for recipe in find_recipes("thesis_skip_*,thesis_skip_cae_mse@0+2")}
    assert found.pop("thesis_skip_cae_mse") == (0, 2)
    assert set(found.values()) == {None}
    with pytest.raises(ValueError, match=r"seeds behind @ must be whole numbers joined by \+, got '0,1'"):
        find_recipes(["thesis_skip_*@0,1"])


def test_one_recipe_is_found_by_its_name_or_in_a_file_of_any_name(tmp_path):
    assert find_recipe("vae") == find_recipe(str(CONFIGS / "recipe/vae.yaml"))
    (tmp_path / "a,b@[1].yaml").write_text("config_file: [configs/train.yaml]\nmax_epochs: 3\n")
    assert merged_config(find_recipe(str(tmp_path / "a,b@[1].yaml")))["max_epochs"] == 3
    with pytest.raises(ValueError, match=r"recipe must be one recipe, got 'thesis_\*', which fits 18"):
        find_recipe("thesis_*")
    with pytest.raises(ValueError, match="no recipe fits 'vea': did you mean vae"):
        find_recipe("vea")


def test_a_part_of_a_config_is_built_and_fails_as_its_component_does():
    config = merged_config(find_recipe("vae"))
    assert build(config, "network_def").latent_size == 64
    content = {"a": {"_target_": "builtins.dict", "b": 1, "c": "@#b"}}
    assert build(content, "a") == {"b": 1, "c": 1}
    assert content["a"]["c"] == "@#b"  # MONAI writes the whole name into the config that it is given
    with pytest.raises(TypeError, match="unexpected keyword argument 'widht'") as caught:
        build({"a": {"_target_": "torch.nn.PReLU", "widht": 3}, "b": ["@a"]}, "b")
    assert caught.value.__cause__ is caught.value.__context__ is None
