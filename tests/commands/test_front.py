# SPDX-License-Identifier: Apache-2.0
"""The front door: words, arguments, streams, exit statuses; what is slow is not imported before it is needed."""

from __future__ import annotations

import inspect
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from scripts import __version__
from scripts.__main__ import WORDS, main
from scripts.commands.arguments import Count, Seed, documentation, parse
from scripts.commands.front import DONE, FORMER, Command, answer, call, refuse_former, say
from scripts.transforms.plane import plane_axcodes

ROOT = Path(__file__).resolve().parents[2]


def functions(command: Command, name: str) -> Iterator[tuple[str, Any]]:
    """All commands below a word, by what one types."""
    if isinstance(command, Mapping):
        for word, one in command.items():
            yield from functions(one, f"{name} {word}")
    else:
        yield name, command


COMMANDS = {
    typed: function
    for word in WORDS
    for typed, function in functions(import_module(f"scripts.commands.{word.replace('-', '_')}").COMMAND, word)
}
every_command = pytest.mark.parametrize("typed", COMMANDS)


def example(
    dataset_dir: Annotated[str, "IN"],
    output_dir: str = "eval/example",
    *,
    seed: Seed = 0,
    count: Count = 3,
    level: float = 0.5,
    report: bool = False,
    part: Literal["test", "validation"] = "test",
    fractions: Sequence[float] = (0.8, 0.2),
    every_nth_slice: int = 1,
    weights: str | None = None,
) -> None:
    """Show 100 % of the arguments.

    A second
    paragraph.

    Args:
        dataset_dir: folder of the images,
            of any kind.
        count: how many.
    """
    say(json.dumps([dataset_dir, output_dir, seed, count, level, report, part, fractions, every_nth_slice, weights]))


def with_keys(dataset_dir: str = "", **keys: Annotated[str | None, "configs/inference.yaml"]) -> None:
    """Take keys.

    Args:
        **keys: of the config.
    """
    say(json.dumps([dataset_dir, keys]))


PLAIN = ["in", "eval/example", 0, 3, 0.5, False, "test", [0.8, 0.2], 1, None]


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        ([], {}),
        (["out"], {1: "out"}),
        (["--output_dir", "out"], {1: "out"}),
        (["--seed", "3", "out", "--level=-1.5"], {1: "out", 2: 3, 4: -1.5}),
        (["--every-nth-slice", "4"], {8: 4}),
        (["--every_nth_slice=4"], {8: 4}),
        (["--report"], {5: True}),
        (["--report", "true"], {5: True}),
        (["--report", "FALSE"], {5: False}),
        (["--report=off"], {5: False}),
        (["--report", "Yes"], {5: True}),
        (["--part", "validation", "--count", "1"], {6: "validation", 3: 1}),
        (["--fractions", "0,0,1", "--weights", "2024"], {7: [0, 0, 1], 9: "2024"}),
        (["--fractions", "[0.5,0.5]"], {7: [0.5, 0.5]}),
    ],
    ids=str,
)
def test_arguments_are_read(arguments, changes, capsys):
    assert answer(lambda: call(example, "program", ["in", *arguments])) == 0
    assert json.loads(capsys.readouterr().out) == [changes.get(place, value) for place, value in enumerate(PLAIN)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: IN. See program --help."),
        (["in", "--sede", "3"], "there is no option --sede. Did you mean --seed?"),
        (["in", "--every-nth-slize", "3"], "there is no option --every-nth-slize. Did you mean --every_nth_slice?"),
        (["in", "--xyz=3"], "there is no option --xyz. Known: --dataset_dir, --output_dir, --seed, "),
        (["in", "--see", "3"], "there is no option --see. Did you mean --seed?"),  # no abbreviations
        (["in", "out", "more"], "unrecognized arguments: more"),
        (["in", "out", "--output_dir", "other"], "unrecognized arguments: out"),
        (["in", "--seed", "x"], "--seed: must be a whole number of at least 0, got 'x'. See program --help."),
        (["in", "--seed", "4.5"], "--seed: must be a whole number of at least 0, got '4.5'"),
        (["in", "--seed", "-1"], "--seed: must be a whole number of at least 0, got '-1'"),
        (["in", "--every_nth_slice", "x"], "--every_nth_slice: must be a whole number, got 'x'"),
        (["in", "--count", "0"], "--count: must be a whole number of at least 1, got '0'"),
        (["in", "--level", "high"], "--level: must be a number, got 'high'"),
        (["in", "--report", "maybe"], "--report: must be true or false, got 'maybe'"),
        (["in", "--part", "tests"], "--part: must be one of test, validation, got 'tests'"),
        (["in", "--fractions", "most"], "--fractions: must be numbers such as 0.8,0.2, got 'most'"),
        (["in", "--seed"], "--seed: expected one argument"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_in_one_line(arguments, message, capsys):
    assert answer(lambda: call(example, "program", arguments)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert message in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        ([], {"task": "report", "steps": 3}),
        (["figure"], {"task": "figure", "steps": 3}),
        (["--steps", "4"], {"steps": 4}),
    ],
)
def test_positional_arguments_may_be_left_out(arguments, values):
    def two(task: Literal["report", "figure"] = "report", steps: int = 3) -> None:
        """Do."""

    assert parse(two, "program", arguments) == {"task": "report"} | values


def test_keys_of_a_config_are_left_to_the_command():
    arguments = ["--batch_size", "4", "--dataset-dir=in", "--train#trainer#max-epochs=3", "--resume", "--amp", "false"]
    assert parse(with_keys, "program", arguments) == {
        "dataset_dir": "in",
        "batch_size": "4",
        "train#trainer#max_epochs": "3",
        "resume": None,
        "amp": "false",
    }


def test_help_shows_each_argument_with_its_default(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as end:
        call(example, "program", ["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(
        "usage: program IN [OUT] [--OPTION VALUE ...]\n\nShow 100 % of the arguments.\n\nA second par"
    )
    for line in (
        r"IN\s+folder of the images, of any kind\.",
        r"OUT\s+folder of the results\. \(default: eval/example\)",  # documented for all commands
        r"--count N\s+how many\. \(default: 3\)",
        r"--report \[true\|false\]\s+\(default: false\)",
        r"--fractions X,X\s+\(default: 0\.8,0\.2\)",
        r"--part test\|validation\s+\(default: test\)",
    ):
        assert len(re.findall(line, text)) == 1
    with pytest.raises(SystemExit):
        call(with_keys, "program", ["--help"])
    assert "--patterns VALUE" in capsys.readouterr().out


def wrong_plane() -> None:
    plane_axcodes("sagital")


def no_file() -> None:
    raise FileNotFoundError("no such head")


def interrupted() -> None:
    raise KeyboardInterrupt


def terminated() -> None:
    signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("work", "status", "message"),
    [
        (wrong_plane, 1, "error: plane 'sagital' is unknown: choose one of sagittal, coronal, axial.\n"),
        (no_file, 1, "error: no such head\n"),
        (interrupted, 130, "\ninterrupted\n"),
        (terminated, 143, "\nterminated\n"),
    ],
)
def test_errors_of_the_user_are_one_line(work, status, message, capsys):
    try:
        assert answer(work) == status
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert capsys.readouterr() == ("", message)


def test_an_error_within_a_config_is_one_line(capsys):
    def work() -> None:
        try:
            wrong_plane()
        except ValueError as error:
            raise RuntimeError("Failed to instantiate component") from error

    assert answer(work) == 1
    assert capsys.readouterr().err.startswith("error: plane 'sagital' is unknown")


def test_faults_of_the_code_keep_their_traceback():
    with pytest.raises(RuntimeError, match="a fault"):
        answer(lambda: (_ for _ in ()).throw(RuntimeError("a fault")))
    for fault in (lambda: [][0], lambda: int("x"), lambda: 1 + "x"):
        with pytest.raises((IndexError, ValueError, TypeError)):
            answer(fault)


def test_only_results_go_to_standard_output(capsys):
    def command() -> None:
        """Print."""
        sys.stdout.write("a library talks\n")
        say("the result")

    call(command, "program", [])
    assert capsys.readouterr() == ("the result\n", "a library talks\n")
    say("after it")
    assert capsys.readouterr().out == "after it\n"


def test_each_word_is_a_file():
    files = {path.stem for path in (ROOT / "scripts/commands").glob("*.py")} - {"__init__", "front", "arguments"}
    assert {word.replace("-", "_") for word in WORDS} == files


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["prepaer"], "python -m scripts prepaer is no command. Did you mean prepare?"),
        ([], "python -m scripts needs a command: restore, fill, prepare,"),
        (["latent", "travers"], "python -m scripts latent travers is no command. Did you mean traverse?"),
        (["tissue", "criteria"], "python -m scripts tissue criteria needs a command: learn, check."),
    ],
)
def test_unknown_words_are_refused(typed, message, capsys):
    assert main(typed) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


@every_command
def test_a_mistyped_option_is_refused_before_the_work(typed, capsys):
    *_, last = inspect.signature(COMMANDS[typed]).parameters.values()
    if last.kind is last.VAR_KEYWORD:  # the config judges it, see tests/recipes/test_workflow.py
        return
    assert main([*typed.split(), f"--{last.name}x", "3"]) == 2
    expected = f"error: there is no option --{last.name}x. Did you mean --{last.name}?\n"
    assert capsys.readouterr() == ("", expected)


@every_command
def test_every_argument_is_documented(typed):
    texts = documentation(COMMANDS[typed])[1]
    assert [name for name in inspect.signature(COMMANDS[typed]).parameters if not texts.get(name)] == []


CHILD = """
import contextlib, io, json, sys, time
from scripts.__main__ import main
found = {}
for typed in json.loads(sys.argv[1]):
    start, shown = time.process_time(), io.StringIO()
    try:
        with contextlib.redirect_stdout(shown):
            status = main(typed.split())
    except SystemExit as end:
        status = end.code or 0
    found[typed] = status, time.process_time() - start, shown.getvalue()
slow = sorted({"torch", "monai", "numpy", "matplotlib", "pandas"} & set(sys.modules))
json.dump([found, time.process_time(), slow], sys.stdout)
"""


def test_help_and_version_are_quick():
    typed = [f"{command} {flag}".strip() for command in ("", *COMMANDS) for flag in ("--help", "--version")]
    command = [sys.executable, "-c", CHILD, json.dumps(typed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found, all_seconds, slow = json.loads(done.stdout)
    assert slow == []
    start_seconds = all_seconds - sum(seconds for _, seconds, _ in found.values())
    for typed, (status, seconds, text) in found.items():
        assert status == 0
        assert start_seconds + seconds < 1
        words = f"usage: python -m scripts {typed}".removesuffix("--help").strip()
        assert text.startswith(words if typed.endswith("--help") else __version__)


@pytest.mark.parametrize("former", FORMER)
def test_an_old_command_answers_with_the_new_one(former, capsys):
    with pytest.raises(SystemExit) as end:
        refuse_former(former)
    assert end.value.code == 2
    expected = f"error: python -m scripts.{former} is now python -m scripts{FORMER[former]}\n"
    assert capsys.readouterr() == ("", expected)
    place, _, words = FORMER[former].partition(" ")
    assert not words or any(f"{typed} ".startswith(f"{words} ") for typed in COMMANDS)
    assert (ROOT / "scripts" / place.strip(".").replace(".", "/")).is_dir()


@pytest.mark.parametrize("done", DONE)
def test_a_measurement_that_is_done_is_where_its_results_are(done, capsys):
    with pytest.raises(SystemExit) as end:
        refuse_former(done)
    assert end.value.code == 2
    expected = f"error: python -m scripts.{done} is no longer there; its results are in {DONE[done]}\n"
    assert capsys.readouterr() == ("", expected)
    assert f"scripts.{done}" in (ROOT / DONE[done]).read_text()


@pytest.mark.parametrize(("module", "status"), [("prepare", 2), ("latent", 2), ("recipes.places", 0)])
def test_python_asks_the_package_first(module, status):
    command = [sys.executable, "-W", "ignore", "-m", f"scripts.{module}", "--seed", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, "is now" in done.stderr) == (status, "", status == 2)


def test_the_module_ends_with_the_exit_status():
    command = [sys.executable, "-m", "scripts", "demo", "reprot"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "must be one of report, figure, gallery, got 'reprot'" in done.stderr
