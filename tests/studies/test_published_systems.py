# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pandas as pd
import pytest
import torch

from scripts.recipes.recipe import build, find_recipe, merged_config
from scripts.studies import published_systems
from tests.helpers.tiny_cohort import write_tiny_cohort


class Doubles:
    """A restorer that doubles what it is given, of which the 99.5th percentile is 1."""

    network = None

    def __init__(self, **options: object) -> None:
        pass

    def inferer(self, volume: torch.Tensor, network: None) -> torch.Tensor:
        assert volume.flatten().quantile(0.995) == pytest.approx(1, rel=0.05)
        return torch.cat([2 * volume, volume], dim=1)


def test_volumes_come_back_in_their_own_scale():
    volume, restorer = 50 * torch.rand(1, 1, 8, 10, 12), Doubles()
    torch.testing.assert_close(published_systems._restored(restorer, volume), 2 * volume[0, 0])


@pytest.mark.parametrize("recipe", ["recon_resnet", "shuffle_unet"])
def test_the_table_has_a_row_for_each_method(recipe, tmp_path, monkeypatch, capsys):
    cohort = write_tiny_cohort(tmp_path / "cohort")
    settings = {"dataset_dir": str(cohort), "output_dir": str(tmp_path), "rows": ["input"], "report": False}
    build(merged_config(find_recipe(recipe), settings), "evaluate#evaluator").run()
    monkeypatch.setattr(published_systems, "Restorer", Doubles)
    published_systems.measure(str(cohort), str(tmp_path), recipe)
    written = pd.read_csv(tmp_path / "restorer.csv")
    kinds = {"recon_resnet": {"random_lines", "equispaced_lines"}, "shuffle_unet": {"thick_axial"}}[recipe]
    assert set(written["corruption"]) == kinds
    table = capsys.readouterr().out
    assert table.count("| input |") == table.count("| restorer |") == len(kinds)
    assert table.count("| measured lines put back |") == (2 if recipe == "recon_resnet" else 0)
    doubled = written[(written["method"] == "restorer") & (written["region"] == "head")]["psnr"]
    assert (doubled < 15).all()
