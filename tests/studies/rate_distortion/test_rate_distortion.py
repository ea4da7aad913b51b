# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pandas as pd
import pytest

from scripts.studies.rate_distortion.__main__ import rate_distortion


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"compressions": [1]}, "--compressions must be whole numbers, at least 2"),
        ({"seeds": ["a"]}, "--seeds must be whole numbers, at least 0"),
        ({"networks": "skip_cea"}, "network 'skip_cea' is unknown: did you mean skip_cae"),
        ({"recipes": "ar_vae"}, "recipe ar_vae cannot be coded: its config_file must begin with configs/train.yaml"),
        ({"recipes": "vea"}, "no recipe fits 'vea': did you mean vae"),
        ({"max_epoch": 3}, "unknown key 'max_epoch': did you mean max_epochs"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message, tiny_cohort, tmp_path):
    with pytest.raises(ValueError, match=message):
        rate_distortion(str(tiny_cohort), str(tmp_path), **arguments)


@pytest.mark.slow
def test_it_trains_measures_and_goes_on_where_it_stopped(tiny_cohort, tmp_path, capsys):
    arguments = {
        "compressions": 16,
        "networks": ["skip_cae"],
        "recipes": "vae",
        "max_epochs": 1,
        "batch_size": 4,
        "jobs": 2,
    }
    rate_distortion(str(tiny_cohort), str(tmp_path), **arguments)
    table = pd.read_csv(tmp_path / "rate_distortion.csv")
    assert set(table["codec"]) == {"compressive_autoencoder", "skip_cae", "vae", "block_pca", "jpeg2000"}
    assert (table[table["codec"] == "skip_cae"]["values_per_pixel"] == 14).all()
    assert not table.duplicated(["codec", "compression", "bits_per_value", "subject", "region", "seed"]).any()
    assert (tmp_path / "rate_distortion.png").stat().st_size > 10_000
    capsys.readouterr()
    rate_distortion(str(tiny_cohort), str(tmp_path), **arguments)
    assert capsys.readouterr().err.count("kept") == 4
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "rate_distortion.csv"), table)
