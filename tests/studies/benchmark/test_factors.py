# SPDX-License-Identifier: Apache-2.0
"""What distinguishes one recipe from another."""

from __future__ import annotations

from scripts.recipes.recipe import find_recipes, known_recipes, merged_config
from scripts.studies.benchmark.comparisons import factors


def test_the_factorial_has_every_network_with_every_loss_with_and_without_l2():
    found = [factors(merged_config(recipe)) for recipe in find_recipes("factorial_*")]
    assert len(found) == len({(f.network, f.loss, f.l2) for f in found}) == 5 * 2 * 2
    assert {f.loss for f in found} == {"MSE", "DSSIM"}
    assert len({(f.design, f.damage, f.variant) for f in found}) == 1  # all else is equal


def test_the_factors_of_the_thesis_cells_are_read_from_their_configs():
    found = {name: factors(merged_config(r)) for name, r in known_recipes().items() if name.startswith("thesis_")}
    assert len({f.design for f in found.values()}) == 1
    assert {f.damage for name, f in found.items() if name.endswith("noaug")} == {"none"}
    assert {f.l2 for name, f in found.items() if "_l2" in name} == {True}
    assert found["thesis_shallow_residual_original_mse_noaug"].variant == "double_norm=True"
