# SPDX-License-Identifier: Apache-2.0
"""The peers do the same work."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scripts.studies.speed import monai_way
from scripts.studies.speed.ours import Task, train_config
from scripts.studies.speed.sample import take_sample


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
    theirs = torch.stack(monai_way._slices(task, "training")).as_tensor()
    # MONAI maps the lowest intensity to 0, here that of nothing becomes 0: alike but for scale, offset and hot voxels
    for one, other in zip(ours.images.float().chunk(2), theirs.chunk(2), strict=True):
        assert float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]) > 0.99


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
