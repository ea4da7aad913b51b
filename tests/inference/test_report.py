# SPDX-License-Identifier: Apache-2.0
"""What a run says of itself, also of one that did not come to its end."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from scripts.inference.report import RestorationReport, SkippedVolumesError
from scripts.inference.volumes import find_volumes
from tests.helpers.restoring import restore_folder
from tests.helpers.volume_files import head, write_nifti, write_series

NAMES = ["a.nii.gz", "b.nii", "x/c.nii.gz"]


def report_of(output: Path) -> dict:
    return json.loads((output / "report.json").read_text())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(NAMES):
        write_nifti(tmp_path / "in" / name, head(seed=seed))
    return tmp_path


def test_the_report_is_true_after_each_volume(folder, capsys):
    items = find_volumes(folder / "in", folder / "out")
    report = RestorationReport(str(folder / "in"), str(folder / "out"))
    assert report.begin(items) == items
    assert report_of(folder / "out") == {
        "dataset_dir": str(folder / "in"),
        "finished": False,
        "restored": [],
        "skipped": [],
    }
    report.restore("b.nii", "b_restored.nii.gz", shape=[1, 2, 3])
    report.skip("a.nii.gz", "it is\nno head.")
    assert report_of(folder / "out") == {
        "dataset_dir": str(folder / "in"),
        "finished": False,
        "restored": [{"name": "b.nii", "output": "b_restored.nii.gz", "shape": [1, 2, 3]}],
        "skipped": [{"name": "a.nii.gz", "reason": "it is\nno head."}],
    }
    report.write(finished=True)
    assert report_of(folder / "out")["finished"] is True
    assert capsys.readouterr().err.splitlines() == [
        "restored b.nii: b_restored.nii.gz",
        r"skipped a.nii.gz: 'it is\nno head.'",
    ]
    with pytest.raises(SkippedVolumesError, match="1 of 2 volumes were skipped"):
        report.finish()


def test_results_of_the_same_are_kept(folder, capsys):
    write_series(folder / "in/scan", head())
    everything = sorted([*NAMES, "scan"])
    restore_folder(folder)
    before = report_of(folder / "out")
    times = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*.nii.gz")}
    restore_folder(folder, skip_existing=True)
    assert [path.stat().st_mtime_ns for path in times] == list(times.values())
    assert report_of(folder / "out") == before
    assert sorted(entry["name"] for entry in before["restored"]) == everything
    told = capsys.readouterr().err
    assert "kept a.nii.gz: a_restored.nii.gz" in told
    assert "restored 4 volumes (4 of them before)" in told


def test_without_being_asked_nothing_is_kept(folder):
    restore_folder(folder)
    first = (folder / "out/a_restored.nii.gz").stat().st_mtime_ns
    restore_folder(folder)
    assert (folder / "out/a_restored.nii.gz").stat().st_mtime_ns > first


def other_voxels(folder: Path) -> None:
    write_nifti(folder / "in/a.nii.gz", head(seed=9))


def only_a_later_time(folder: Path) -> None:
    os.utime(folder / "in/a.nii.gz", ns=(1, 1))


def no_result(folder: Path) -> None:
    (folder / "out/a_restored.nii.gz").unlink()


def no_sidecar(folder: Path) -> None:
    (folder / "out/a_restored.json").unlink()


def half_a_sidecar(folder: Path) -> None:
    (folder / "out/a_restored.json").write_text('{"Restoration": {"input"')


def sidecar_of_others(folder: Path) -> None:
    (folder / "out/a_restored.json").write_text("[1]")


@pytest.mark.parametrize(
    "change", [other_voxels, only_a_later_time, no_result, no_sidecar, half_a_sidecar, sidecar_of_others]
)
def test_what_changed_is_done_again_and_nothing_else(folder, change, capsys):
    restore_folder(folder)
    change(folder)
    capsys.readouterr()
    restore_folder(folder, skip_existing=True)
    told = capsys.readouterr().err
    assert "restored a.nii.gz: " in told
    assert "restored 3 volumes (2 of them before)" in told
    restored = nib.load(folder / "out/a_restored.nii.gz").get_fdata()
    np.testing.assert_allclose(restored, nib.load(folder / "in/a.nii.gz").get_fdata(), atol=1e-3)


@pytest.mark.parametrize("options", [{"plane": "axial"}, {"amp": True}, {"network_def": {"_target_": "torch.nn.ReLU"}}])
def test_other_settings_are_another_result(folder, options, capsys):
    restore_folder(folder)
    restore_folder(folder, skip_existing=True, **options)
    assert "of them before" not in capsys.readouterr().err


def test_other_weights_under_the_same_name_are_another_result(folder, capsys):
    restore_folder(folder)
    torch.save({}, folder / "weights.pt", _use_new_zipfile_serialization=False)
    restore_folder(folder, skip_existing=True)
    assert "of them before" not in capsys.readouterr().err


def test_settings_of_the_run_alone_change_nothing(folder, capsys):
    restore_folder(folder)
    restore_folder(folder, skip_existing=True, batch_size=3, num_workers=0, overlap_voxels=1)
    assert "restored 3 volumes (3 of them before)" in capsys.readouterr().err


def test_no_result_leaves_the_folder(folder):
    (folder / "elsewhere").mkdir()
    (folder / "out").mkdir()
    (folder / "out/x").symlink_to(folder / "elsewhere")
    write_nifti(folder / "in/..n.nii")  # hidden
    write_nifti(folder / "in/-n.nii")
    message = restore_folder(folder)
    assert message.startswith("error: 1 of 4 volumes were skipped")
    (skipped,) = report_of(folder / "out")["skipped"]
    assert skipped["name"] == "x/c.nii.gz"
    assert skipped["reason"] == f"its result would be written into {folder}/elsewhere, out of {folder}/out."
    assert list((folder / "elsewhere").iterdir()) == []
    assert sorted(path.name for path in folder.iterdir()) == ["elsewhere", "in", "out", "weights.pt"]


def test_a_link_in_the_place_of_a_result_is_replaced_not_followed(folder):
    target = folder / "precious.nii.gz"
    target.write_text("precious")
    (folder / "out").mkdir()
    for name in ("a_restored.nii.gz", "a_restored.json", "report.json"):
        (folder / "out" / name).symlink_to(target)
    assert restore_folder(folder) is None
    assert target.read_text() == "precious"
    assert not (folder / "out/a_restored.nii.gz").is_symlink()


def full(path: Path, fields: object = None) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def test_a_full_disk_leaves_nothing_of_a_result(folder, monkeypatch):
    from scripts.inference import report as module

    write = module.write_sidecar
    monkeypatch.setattr(
        module, "write_sidecar", lambda path, fields: (full if path.name[0] == "a" else write)(path, fields)
    )
    assert restore_folder(folder).startswith("error: 1 of 3 volumes were skipped")
    assert report_of(folder / "out")["skipped"] == [{"name": "a.nii.gz", "reason": "No space left on device."}]
    written = sorted(path.name for path in (folder / "out").iterdir())
    assert written == ["b_restored.json", "b_restored.nii.gz", "report.json", "x"]


def test_a_disk_that_is_too_full_for_the_report_stops_no_volume(folder, monkeypatch):
    from scripts.inference import report as module

    replacing, calls = module.replacing, []

    def once(path):
        calls.append(path)
        return replacing(path) if len(calls) == 1 else full(path)

    monkeypatch.setattr(module, "replacing", once)
    assert restore_folder(folder) == f"error: [Errno 28] No space left on device: '{folder}/out/report.json'"
    assert len(list((folder / "out").rglob("*_restored.nii.gz"))) == 3


def test_a_folder_that_is_read_only_ends_the_run_before_any_work(folder, monkeypatch):
    """The administrator who may run this test could write into any folder."""

    def refuse(path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr("scripts.inference.report.replacing", refuse)
    assert restore_folder(folder) == f"error: [Errno 30] Read-only file system: '{folder}/out/report.json'"
    assert list((folder / "out").iterdir()) == []


def test_a_volume_that_vanishes_is_named(folder, monkeypatch):
    from scripts.inference.report import RestorationReport

    begin = RestorationReport.begin

    def vanish(self, items):
        kept = begin(self, items)
        (folder / "in/b.nii").unlink()
        return kept

    monkeypatch.setattr(RestorationReport, "begin", vanish)
    assert restore_folder(folder).startswith("error: 1 of 3")
    assert report_of(folder / "out")["skipped"] == [{"name": "b.nii", "reason": "No such file or directory."}]


def test_memory_that_runs_out_concerns_one_volume(folder, monkeypatch):
    from scripts.inference import volumes as module

    collate = module.list_data_collate

    def short(batch):
        if batch[0]["name"] == "b.nii" and not batch[0]["error"]:
            raise MemoryError
        return collate(batch)

    monkeypatch.setattr(module, "list_data_collate", short)
    assert restore_folder(folder).startswith("error: 1 of 3")
    reason = "there is not enough memory for it."
    assert report_of(folder / "out")["skipped"] == [{"name": "b.nii", "reason": reason}]


class Wild(torch.nn.Module):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * 0 + self.value


@pytest.mark.parametrize(("value", "told"), [(float("nan"), "nan"), (float("inf"), "inf"), (9.0, "9")])
def test_nonsense_is_no_result(folder, value, told):
    message = restore_folder(folder, network_def={"_target_": f"{__name__}.Wild", "value": value})
    assert message.startswith("error: 3 of 3 volumes were skipped")
    reason = report_of(folder / "out")["skipped"][0]["reason"]
    assert reason.startswith(f"the network's largest correction is {told} times the intensity range, at most 5 makes")
    assert list((folder / "out").rglob("*restored*")) == []


PROCESSES = """
import json, os, signal, sys, time
from pathlib import Path
import scripts.commands.restore, scripts.inference.evaluator, monai.bundle, monai.transforms, ignite.handlers
from scripts.__main__ import main

inputs, output = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it starts in the background ignore it
def slow(images, network):
    time.sleep(0.1)
    return images
sys.modules["slow"] = sys.modules["__main__"]
arguments = ["restore", inputs, output, "--skip_existing", "--device", "cpu", "--weights", inputs + "/../weights.pt",
    "--network_def", "{_target_: torch.nn.Identity}", "--inferer", "$__import__('slow').slow"]
report = Path(output) / "report.json"
for name in ("SIGKILL", "SIGTERM", "SIGINT", ""):
    done = len(json.loads(report.read_text())["restored"]) if name and report.is_file() else 0
    process = os.fork()
    if not process:
        os._exit(main(arguments))
    for _ in range(3000 if name else 0):
        time.sleep(0.005)
        if report.is_file() and len(json.loads(report.read_text())["restored"]) > done:
            os.kill(process, getattr(signal, name))
            break
    else:
        assert not name, "nothing was told of in 15 s"
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    said = json.loads(report.read_text())
    there = len(list(Path(output).glob("*_restored.nii.gz")))
    partial = len(list(Path(output).glob(".*")))
    print(file=sys.stderr)
    print(json.dumps([status, said["finished"], len(said["restored"]), there, partial]), file=sys.stderr)
"""


def test_a_run_that_is_killed_and_started_again_goes_on(tmp_path, root):
    for seed in range(9):
        write_nifti(tmp_path / f"in/{seed}.nii", head(seed=seed))
    torch.save({}, tmp_path / "weights.pt")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/.partial-1-2-a.nii.gz").touch()
    command = [sys.executable, "-c", PROCESSES, str(tmp_path / "in"), str(tmp_path / "out")]
    ended = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8", check=True, timeout=100)
    lines = ended.stderr.replace("\r", "\n").splitlines()
    runs = [json.loads(line) for line in lines if line.startswith("[")]
    assert [run[0] for run in runs] == [-9, 143, 130, 0]
    assert [run[1] for run in runs] == [False, False, False, True]
    for _, _, said, there, partial in runs:
        assert there - 1 <= said <= there  # the report comes after the result
        assert partial <= 1
    done = [run[2] for run in runs]
    assert done == sorted(set(done))
    assert runs[-1][2:] == [9, 9, 0]
    assert [line for line in lines if line in ("terminated", "interrupted")] == ["terminated", "interrupted"]
    assert "Traceback" not in ended.stderr
    assert all(len(line) < 250 for line in lines)
    everything = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert everything == sorted(
        [*(f"{n}_restored{end}" for n in range(9) for end in (".json", ".nii.gz")), "report.json"]
    )
