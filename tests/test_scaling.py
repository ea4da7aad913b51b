# SPDX-License-Identifier: Apache-2.0
"""Several processes, accumulated gradients, several nodes: the same training, only faster."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigWorkflow

from tests.helpers.user_errors import user_error

ROOT = Path(__file__).resolve().parents[1]
TRAIN, MULTI_GPU = "configs/train.yaml", "configs/hw/multi_gpu.yaml"
SYNC_BATCH_NORM = "configs/hw/sync_batch_norm.yaml"
SLURM_SCRIPTS = sorted((ROOT / "configs" / "hw").glob("*.sh"))
# without batch normalisation, which computes its statistics within a batch: see docs/scaling.md
NETWORK = {
    "_target_": "AutoEncoder",
    "spatial_dims": 2,
    "in_channels": 1,
    "out_channels": 1,
    "channels": [4, 8],
    "strides": [2, 2],
    "norm": None,
}
LONGEST_RUN_S = 120


@pytest.fixture(autouse=True)
def _in_the_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def workflow(tiny_cohort: Path, output_dir: Path, *files: str, **override: object) -> ConfigWorkflow:
    settings = {
        "bundle_root": str(ROOT),
        "dataset_dir": str(tiny_cohort),
        "output_dir": str(output_dir),
        "max_epochs": 3,
        "device": "$torch.device('cpu')",
        "amp": False,
        "cache_dir": "",
    }
    made = ConfigWorkflow([TRAIN, *files], workflow_type="train", logging_file=False, **settings | override)
    made.initialize()
    return made


def train(*args: object, **kwargs: object) -> None:
    workflow(*args, **kwargs).run()


def in_processes(number: int, tiny_cohort: Path, output_dir: Path, *files: str, gpus: bool = False, **override: object):
    """The same through torchrun, with one thread each."""
    settings = {"dataset_dir": tiny_cohort, "output_dir": output_dir, "cache_dir": output_dir.parent / "cache"}
    settings |= {"max_epochs": 3, "amp": False} | override
    command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc_per_node={number}", "-m", "monai.bundle", "run", "training"]
    command += ["--config_file", str([TRAIN, MULTI_GPU, *files])]
    command += [word for name, value in settings.items() for word in (f"--{name}", str(value))]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | ({} if gpus else {"CUDA_VISIBLE_DEVICES": ""})
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment, timeout=LONGEST_RUN_S
    )


def curve(output_dir: Path) -> list[list[float]]:
    """The numbers of the history that training leaves, without the seconds."""
    rows = list(csv.DictReader((output_dir / "history.csv").open(encoding="utf-8")))
    return [[float(value) for name, value in row.items() if name != "seconds"] for row in rows]


def weights(output_dir: Path) -> dict[str, torch.Tensor]:
    return torch.load(output_dir / "checkpoint.pt", weights_only=True)["network"]


def assert_same_training(first: Path, second: Path) -> None:
    """Equal but for the order in which float32 numbers are added."""
    torch.testing.assert_close(curve(first), curve(second), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(weights(first), weights(second), rtol=1e-4, atol=1e-5)


def test_accumulated_batches_make_the_steps_of_one_large_batch(tiny_cohort, tmp_path):
    train(tiny_cohort, tmp_path / "large", network_def=NETWORK, batch_size=4)
    train(tiny_cohort, tmp_path / "accumulated", network_def=NETWORK, batch_size=2, accumulation_steps=2)
    assert_same_training(tmp_path / "large", tmp_path / "accumulated")


def test_schedule_ends_where_it_should_when_batches_do_not_divide(tiny_cohort, tmp_path):
    rates = []
    made = workflow(tiny_cohort, tmp_path, network_def=NETWORK, batch_size=2, accumulation_steps=3)  # 4 batches: 3 + 1
    optimizer = made.parser.get_parsed_content("optimizer")
    optimizer.register_step_pre_hook(lambda *_: rates.append(optimizer.param_groups[0]["lr"]))
    made.run()
    parameter = torch.nn.Parameter(torch.zeros(1))
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        torch.optim.AdamW([parameter], 2e-3), max_lr=2e-3, total_steps=6, pct_start=0.1
    )
    expected = []
    for _ in range(6):
        expected.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize("part", ["train", "validate"])
def test_processes_share_the_slices(tiny_cohort, tmp_path, monkeypatch, part):
    seen: list[list[int]] = []
    for rank in range(2):
        for name, value in {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2}.items():
            monkeypatch.setenv(name, str(value))
        parser = workflow(tiny_cohort, tmp_path, MULTI_GPU, initialize=[], finalize=[]).parser
        sampler = parser.get_parsed_content(f"{part}#dataloader").sampler
        sampler.set_epoch(1)
        seen.append(list(sampler))
    assert not set(seen[0]) & set(seen[1])
    assert [len(indices) for indices in seen] == {"train": [4, 4], "validate": [2, 1]}[part]


def test_two_processes_make_the_steps_of_one_with_the_double_batch(tiny_cohort, tmp_path):
    train(tiny_cohort, tmp_path / "one", network_def=NETWORK, batch_size=4)
    done = in_processes(
        2, tiny_cohort, tmp_path / "two", network_def=NETWORK, batch_size=2, **{"validate#dataloader#batch_size": 1}
    )  # three slices for validation, one each: two batches in one process, one in the other
    assert done.returncode == 0, done.stderr[-3000:]
    assert_same_training(tmp_path / "one", tmp_path / "two")
    files = [path.name for path in (tmp_path / "two").iterdir()]
    assert sorted(name for name in files if "tfevents" not in name) == [
        "checkpoint.pt",
        "config.yaml",
        "history.csv",
        "model.pt",
    ]
    assert sum("tfevents" in name for name in files) == 1
    assert not any(name.startswith("module.") for name in torch.load(tmp_path / "two" / "model.pt", weights_only=True))


INTERRUPT = """
from ignite.engine import Events
class Interrupt:
    def attach(self, engine):
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)
    def __call__(self, engine):
        if engine.state.epoch == 3 and engine.state.rank == 1:
            raise RuntimeError("the second process is lost")
"""


@pytest.mark.slow
def test_losing_a_process_ends_the_run_and_it_can_be_resumed(tiny_cohort, tmp_path, monkeypatch):
    (tmp_path / "interrupt.py").write_text(INTERRUPT)
    (tmp_path / "interrupt.yaml").write_text("+train#handlers:\n- _target_: interrupt.Interrupt\n")
    settings = {"max_epochs": 4, "batch_size": 2}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert in_processes(2, tiny_cohort, whole, **settings).returncode == 0
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    started = time.monotonic()
    lost = in_processes(2, tiny_cohort, parts, str(tmp_path / "interrupt.yaml"), **settings)
    assert lost.returncode == 1
    assert "the second process is lost" in lost.stderr
    assert time.monotonic() - started < 60  # the other one does not wait for it
    assert len(curve(parts)) == 2
    assert in_processes(2, tiny_cohort, parts, **settings, resume=True).returncode == 0
    assert curve(parts) == curve(whole)
    assert all(torch.equal(value, weights(whole)[name]) for name, value in weights(parts).items())
    # with batch normalisation, whose statistics are those of the first process in every process's validation
    alone = workflow(tiny_cohort, tmp_path / "alone", batch_size=2).parser
    alone.get_parsed_content("network_def").load_state_dict(weights(parts))
    evaluator = alone.get_parsed_content("validate#evaluator")
    evaluator.run()
    assert evaluator.state.metrics["val_loss"] == pytest.approx(curve(parts)[-1][3], rel=1e-5)


@pytest.mark.slow
def test_early_stopping_stops_all_processes(tiny_cohort, tmp_path):
    settings = {"early_stopping_patience": 1, "early_stopping_min_delta": 10.0, "batch_size": 2}
    done = in_processes(2, tiny_cohort, tmp_path, **settings)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(curve(tmp_path)) == 2


def test_without_torchrun_one_line_says_what_is_missing(tiny_cohort, tmp_path, monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with user_error(ValueError, "environment variable RANK expected"):
        workflow(tiny_cohort, tmp_path, MULTI_GPU)


def test_shared_statistics_change_no_name_of_a_weight(tiny_cohort, tmp_path):
    plain, shared = (workflow(tiny_cohort, tmp_path, *files).parser for files in ((), (SYNC_BATCH_NORM,)))
    plain, shared = (parser.get_parsed_content("network") for parser in (plain, shared))
    kinds = [{type(m) for m in network.modules() if "BatchNorm" in type(m).__name__} for network in (plain, shared)]
    assert kinds == [{torch.nn.BatchNorm2d}, {torch.nn.SyncBatchNorm}]
    assert plain.state_dict().keys() == shared.state_dict().keys()


@pytest.mark.gpu
@pytest.mark.parametrize("files", [(), (SYNC_BATCH_NORM,)], ids=["own statistics", "shared statistics"])
def test_processes_on_gpus_train_one_network(tiny_cohort, tmp_path, files):
    settings = {"validate#dataloader#batch_size": 1, "batch_size": 1, "amp": "$torch.cuda.is_bf16_supported()"}
    done = in_processes(torch.cuda.device_count(), tiny_cohort, tmp_path / "out", *files, gpus=True, **settings)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(curve(tmp_path / "out")) == 3


@pytest.fixture
def slurm(tmp_path, monkeypatch) -> Path:
    """A machine that takes itself for the first node of a job; what is started there is written to a file."""
    commands = tmp_path / "bin"
    commands.mkdir()
    record = tmp_path / "started"
    programs = {
        "srun": f'printf "%s\\n" "$@" > {record}; sleep "${{SRUN_SECONDS:-0}}"',
        "scontrol": f'[[ $1 == show ]] && printf "node7\\nnode8\\n" || echo "$@" >> {tmp_path / "scontrol"}',
    }
    for name, program in programs.items():
        (commands / name).write_text(f"#!/usr/bin/env bash\n{program}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    job = {"JOB_ID": 40123, "JOB_NODELIST": "node[7-8]", "NNODES": 2, "GPUS_ON_NODE": 4, "CPUS_PER_TASK": 16}
    for name, value in (job | {"LOCALID": 0, "SUBMIT_DIR": ROOT}).items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    monkeypatch.setenv("PYTHON", sys.executable)
    return record


def sbatch(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", str(ROOT / "configs" / "hw" / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST_RUN_S)


def test_slurm_job_starts_every_node_with_the_recipe(slurm, tmp_path):
    recipe = "configs/recipe/thesis_skip_cae_mse_l2.yaml"
    done = sbatch("slurm_train.sh", recipe, "DATA", str(tmp_path), "--max_epochs", "7")
    assert done.returncode == 0, done.stderr
    started = slurm.read_text().splitlines()
    for words in (
        ["--nnodes=2", "--nproc_per_node=4", "--rdzv_backend=c10d", "--rdzv_endpoint=node7:20123", "--rdzv_id=40123-0"],
        ["-m", "monai.bundle", "run", "training", "--args_file", recipe],
        ["--dataset_dir", "DATA", "--output_dir", str(tmp_path), "--overwrite", "True", "--max_epochs", "7"],
    ):
        assert " ".join(words) in " ".join(started)
    files = re.findall(r"'([^']*)'", started[started.index("--config_file") + 1])
    assert (files[0], files[-1]) == (TRAIN, MULTI_GPU)
    assert "configs/net/skip_cae.yaml" in files


def test_slurm_job_resumes_what_has_a_checkpoint_and_queues_itself_again(slurm, tmp_path, monkeypatch):
    (tmp_path / "checkpoint.pt").touch()
    monkeypatch.setenv("SRUN_SECONDS", "30")
    script = ["bash", "configs/hw/slurm_train.sh", "configs/recipe/residual_unet_mse.yaml", "DATA", str(tmp_path)]
    with subprocess.Popen(script, cwd=ROOT, start_new_session=True) as job:
        while not slurm.is_file() and job.poll() is None:
            time.sleep(0.05)
        job.send_signal(signal.SIGUSR1)
        job.wait(timeout=10)
        os.killpg(job.pid, signal.SIGKILL)  # as SLURM does with what is left
    assert "--resume True" in " ".join(slurm.read_text().splitlines())
    assert (tmp_path / "scontrol").read_text() == "requeue 40123\n"


@pytest.mark.slow
def test_slurm_job_trains_and_goes_on(slurm, tiny_cohort, tmp_path, monkeypatch):
    (tmp_path / "bin" / "srun").write_text('#!/usr/bin/env bash\nshift; exec "$@"\n')
    (tmp_path / "bin" / "scontrol").write_text("#!/usr/bin/env bash\necho localhost\n")
    for name, value in {"NNODES": 1, "GPUS_ON_NODE": 1, "JOB_ID": os.getpid()}.items():  # its port is no one else's
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    recipe, out = "configs/recipe/residual_unet_mse.yaml", tmp_path / "out"
    settings = ["--batch_size", "4", "--max_epochs", "2", "--cache_dir", str(tmp_path / "cache")]
    done = sbatch("slurm_train.sh", recipe, str(tiny_cohort), str(out), *settings)
    assert done.returncode == 0, done.stderr[-3000:]
    before = (out / "history.csv").read_text()
    again = sbatch("slurm_train.sh", recipe, str(tiny_cohort), str(out), *settings)
    assert "resumed from" in again.stderr
    assert (out / "history.csv").read_text() == before  # nothing was left to do


@pytest.mark.parametrize("script", SLURM_SCRIPTS, ids=lambda path: path.stem)
def test_slurm_script_is_sound(script):
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    text = script.read_text()
    named = re.findall(r"configs/[\w/]+\.(?:yaml|sh)", text)
    named += [f"configs/recipe/{name}.yaml" for name in re.findall(r"residual_unet_mse|thesis_\w+", text)]
    assert named
    assert all((ROOT / name).is_file() for name in named)
    assert sbatch(script.name).stderr.startswith("usage: ")
