# SPDX-License-Identifier: Apache-2.0
"""``bids`` from the command line, as BIDS apps are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts import __version__
from scripts.__main__ import main
from scripts.anomaly.bids.participant import SubjectJob
from tests.helpers.bids_dataset import IMAGES, bids_errors, write_dataset


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_dataset(tmp_path / "in", (*IMAGES, "sub-x3/anat/sub-x3_T1w"))
    return tmp_path


@pytest.fixture
def jobs(monkeypatch) -> list[SubjectJob]:
    """Jobs that the command hands out; that of sub-02 fails, the process of sub-x3 dies."""
    given: list[SubjectJob] = []

    def run(function, some, processes, prepare):
        for job in some:
            given.append(job)
            outcomes = {"02": ["sub-02/ses-b/anat: no"], "x3": ChildProcessError("its process was killed")}
            (job.output_dir / f"sub-{job.subject.label}.html").touch()
            yield job, outcomes.get(job.subject.label, [])

    monkeypatch.setattr("scripts.files.workers.run_in_processes", run)
    return given


@pytest.mark.parametrize(
    ("typed", "chosen"),
    [
        ("in out participant", ["01", "02", "x3"]),
        ("in out participant --participant_label 02 01", ["01", "02"]),
        ("in out participant --participant-label sub-02 --participant-label sub-01", ["01", "02"]),
        ("in out participant --participant_label=x3", ["x3"]),
        ("--participant_label 02 --skip_existing true in out participant", ["02"]),
        ("in out participant --session_label ses-b", ["02"]),
        ("in out participant --participant_label 02 --session-label b --n_procs 2", ["02"]),
    ],
)
def test_it_is_called_as_bids_apps_are(typed, chosen, here, jobs):
    main(["bids", *typed.split()])
    assert [job.subject.label for job in jobs] == chosen


def test_a_subject_that_fails_stops_no_other_and_makes_the_status(here, jobs, capsys, caplog):
    assert main(["bids", "in", "out", "participant", "--skip_existing", "--gate", "false", "--device", "cpu"]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["out/sub-01.html", "out/sub-02.html"]
    assert caplog.messages == ["failed: sub-02: sub-02/ses-b/anat: no", "failed: sub-x3: its process was killed"]
    assert printed.err == "error: 2 of 3 subjects have no results, or not all: sub-02, sub-x3.\n"
    assert jobs[0].skip_existing
    assert jobs[0].restoration == {"device": "cpu", "gate": False, "max_memory": 8.0}
    assert json.loads(Path("out/dataset_description.json").read_text())["DatasetType"] == "derivative"
    assert main(["bids", "in", "out", "participant", "--participant_label", "01"]) == 0


def test_the_group_names_what_has_no_results(here, capsys, caplog):
    assert main(["bids", "in", "out", "group"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "out/group.html\n"
    assert "failed: sub-01/anat/sub-01_T1w.nii.gz: it was not processed." in caplog.messages
    assert printed.err.startswith("error: 3 of 3 images have no results")
    assert "it was not processed" in Path("out/group.html").read_text()


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("in out", "the following arguments are required: participant|group"),
        ("in out everybody", "participant|group: must be one of participant, group, got 'everybody'"),
        ("in out participant --participant_label 7", "in has no participant 7; there are: 01, 02, x3."),
        ("in out participant --participants 01", "Did you mean --participant_label?"),
        ("in out participant --n_procs 0", "--n_procs: must be a whole number of at least 1, got '0'"),
        ("in out participant --calibration no.json", "there is no calibration at no.json"),
        ("in in participant", "in lies among the images: give a folder such as in/derivatives/"),
        ("in in/dataset_description.json participant", "is a file: give a folder for the results"),
        ("in/sub-01 out participant", "in/sub-01 is no BIDS dataset, it has no dataset_description.json"),
        ("nowhere out group", "nowhere is no folder"),
    ],
)
def test_wrong_arguments_end_with_one_line(typed, message, here, capsys):
    assert main(["bids", *typed.split()]) == 2
    printed = capsys.readouterr()
    assert (printed.out, len(printed.err.splitlines())) == ("", 1)
    assert message in printed.err
    assert not Path("out").exists()


@pytest.mark.parametrize("option", ["-v", "--version"])
def test_the_version_is_told(option, capsys):
    with pytest.raises(SystemExit):
        main(["bids", option])
    assert capsys.readouterr().out == f"{__version__}\n"


@pytest.mark.slow
def test_processes_do_the_whole_work(here, capsys):
    (here / "in/sub-x3/anat/sub-x3_T1w.nii.gz").write_text("no image")
    assert main(["bids", "in", "out", "participant", "--n_procs", "2", "--participant_label", "01", "x3"]) == 1
    assert "failed: sub-x3" in capsys.readouterr().err
    assert Path("out/sub-01.html").stat().st_size > 100_000
    assert bids_errors(here / "out") == []
