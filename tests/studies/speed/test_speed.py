# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import csv
import shutil

import nibabel as nib
import pytest

from scripts.data.demo.cohort import ensure_demo_cohort
from scripts.networks import NETWORKS
from scripts.studies.speed.__main__ import measure, speed
from scripts.studies.speed.match import Effort
from scripts.studies.speed.matches import compiled, onnxruntime, planned_matches
from scripts.studies.speed.ours import Task
from scripts.studies.speed.results import COLUMNS
from scripts.studies.speed.sample import large_sample, take_sample

EFFORT = Effort(rounds=1, round_seconds=0.0, training=2, validation=1, volumes=1)


def make_task(cohort, folder, device: str = "cpu") -> Task:
    folder.mkdir()
    return Task(take_sample(cohort, folder, 2, 1, 1), "residual_unet", device, 0, str(folder))


def check(results, output_dir, works: set[str]) -> list[dict[str, str]]:
    """The files of a run, row by row."""
    results.write(output_dir)
    with (output_dir / "speed.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    assert {row["work"] for row in rows} == works
    for row in rows:
        assert float(row["ours_per_s"]) > 0
        assert float(row["ratio"]) == pytest.approx(float(row["ours_per_s"]) / float(row["peer_per_s"]), rel=1e-3)
        assert float(row["floor_share"]) > 0
        assert float(row["peak_mb"]) > 0
    page = (output_dir / "speed.md").read_text(encoding="utf-8")
    assert page.startswith("# Speed")
    assert "nan" not in page
    assert all(f"| {work} |" in page for work in works)
    return rows


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_a_tiny_run(tiny_cohort, tmp_path, device):
    task = make_task(tiny_cohort, tmp_path / "work", device)
    works = {"corruption", "train_step"}
    matches = [match for match in planned_matches(task, ["residual_unet"], full=False) if match.work in works]
    results = measure(task, matches, EFFORT, tmp_path / "logs")
    corruption, train_step = check(results, tmp_path / "out", works)
    assert (corruption["network"], corruption["peer"], corruption["wait_share"]) == ("all", "monai", "")
    assert (train_step["network"], train_step["peer"], train_step["device"]) == ("residual_unet", "monai", device)
    assert 0 < float(train_step["wait_share"]) < 1
    plain, *others = results.accuracies
    assert plain["arithmetic"] == "plain float32"
    assert all(abs(a["psnr"] - plain["psnr"]) < 1.0 for a in others)


@pytest.mark.slow
def test_a_whole_run_of_the_smallest_network(tmp_path):
    cohort = ensure_demo_cohort(tmp_path / "cohort", num_subjects=4, spacing_mm=4.0)
    task = make_task(cohort, tmp_path / "work")
    results = measure(task, planned_matches(task, ["skip_cae"], full=False), EFFORT, tmp_path / "logs")
    check(results, tmp_path / "out", {"data", "corruption", "train_step", "evaluation", "inference", "forward"})


@pytest.mark.slow
@pytest.mark.parametrize("way", [onnxruntime, compiled])
def test_other_ways_to_run_a_network(tiny_cohort, tmp_path, way):
    if way is compiled and shutil.which("g++") is None:
        pytest.skip("torch.compile needs a C++ compiler")
    task = make_task(tiny_cohort, tmp_path / "work")
    assert way(task).run(2).slices == 32


@pytest.mark.slow
def test_a_large_volume_has_256_slices(tiny_cohort, tmp_path):
    sample = large_sample(make_task(tiny_cohort, tmp_path / "work").sample, tmp_path / "large")
    assert nib.load(tmp_path / "large/large.nii.gz").shape == (256, 256, 256)
    assert (sample.volumes_dir, sample.volume_slices) == (str(tmp_path / "large"), 256)


def test_every_work_of_every_network_is_planned(tiny_cohort, tmp_path):
    task = make_task(tiny_cohort, tmp_path / "work")
    matches = planned_matches(task, list(NETWORKS), full=True)
    assert len(matches) == 2 + 4 * len(NETWORKS) + 1
    assert {match.network for match in matches} == {*NETWORKS, "all"}
    peers = {(match.work, entrant.name) for match in matches for entrant in match.entrants[1:]}
    assert {
        ("train_step", "monai"),
        ("train_step", "compile=true"),
        ("forward", "torch.compile"),
        ("forward", "onnxruntime"),
    } <= peers
    quick = planned_matches(task, ["skip_cae"], full=False)
    assert len(quick) == 6
    assert {entrant.name for match in quick for entrant in match.entrants} == {"ours", "monai", "plain"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"networks": ("skip_cae", "resnet")}, "network 'resnet' is unknown: .*residual_unet"),
        ({"device": "tpu"}, "device must be cpu, cuda or cuda:N, got 'tpu'"),
        ({"device": "cuda:99"}, "device 'cuda:99' is not there"),
        ({"quick": "yes"}, "--quick must be true or false, got 'yes'"),
        ({"dataset_dir": "/nowhere"}, "dataset.json does not exist"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        speed(output_dir=str(tmp_path), **arguments)
