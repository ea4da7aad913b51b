# SPDX-License-Identifier: Apache-2.0
"""The layout of the code: which room imports which, how large files are, and what is left to commands and studies.

Each rule is a function from the folder of the package to what breaks it there, and is shown to bite on a made-up one.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter
from collections.abc import Callable
from functools import cache, partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SCRIPTS = TESTS.parent / "scripts"
ORDER = (
    ("files", "corruptions", "anatomy", "repairs"),
    ("transforms", "networks"),
    ("losses",),
    ("metrics", "data"),
    ("tissue", "engines", "handlers", "baselines"),
    ("recipes", "inference"),
    ("pages",),
    ("evaluation",),
    ("demo", "latent", "uncertainty", "normative", "anomaly"),
    ("commands",),
    ("__init__.py", "__main__.py"),
    ("studies",),
)
"""Each room imports only from its own group and the groups before it."""
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
LAZY = ("commands", "__init__.py", "__main__.py")
"""Where an import inside a function is none: it spares ``--help`` a second."""
EDGE = ("commands", "studies")
"""Rooms that print and end the process."""
WITHOUT_MIRROR = {"networks/test_thesis_networks.py"}
"""Tests of several files of a room."""
NO_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)

Rule = Callable[[Path], list[str]]


@cache
def nodes_of(path: Path) -> list[tuple[ast.AST, bool]]:
    """All nodes of a file, each with whether it lies inside a function."""
    found, waiting = [], [(ast.parse(path.read_text(encoding="utf-8")), False)]
    while waiting:
        node, inside = waiting.pop()
        found.append((node, inside))
        inside |= isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        waiting += [(child, inside) for child in ast.iter_child_nodes(node)]
    return found


def files_of(package: Path) -> dict[str, Path]:
    """The files of the package by their place in it, such as ``losses/dssim.py``."""
    return {path.relative_to(package).as_posix(): path for path in sorted(package.rglob("*.py"))}


def room_of(place: str) -> str:
    return place.partition("/")[0]


@cache
def imports(package: Path, with_lazy: bool = False) -> dict[str, set[str]]:
    """Of each file the files of the package that it imports; names such as ``__version__`` come without code."""
    graph: dict[str, set[str]] = {}
    for place, path in files_of(package).items():
        lazy = room_of(place) in LAZY and not with_lazy
        graph[place] = set()
        for node, inside in nodes_of(path):
            if isinstance(node, ast.ImportFrom) and node.level and not (inside and lazy):
                base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
                for name in (alias.name for alias in node.names if not alias.name.startswith("__")):
                    candidates = (base / f"{name}.py", base / name / "__init__.py", base.with_suffix(".py"))
                    found = next((file for file in candidates if file.is_file()), base / "__init__.py")
                    graph[place].add(found.relative_to(package).as_posix())
        graph[place].discard(place)
    return graph


def arrows(package: Path, with_lazy: bool = False) -> Counter[tuple[str, str]]:
    """Pairs of different rooms of which the first imports from the second, with the number of imports."""
    pairs = ((room_of(a), room_of(b)) for a, files in imports(package, with_lazy).items() for b in files)
    return Counter((a, b) for a, b in pairs if a != b)


def unknown_rooms(package: Path) -> list[str]:
    return sorted({room_of(place) for place in files_of(package)} - RANK.keys())


def wrong_directions(package: Path) -> list[str]:
    return [f"{a} -> {b}" for a, b in arrows(package) if RANK.get(a, -1) < RANK.get(b, -1)]


def importers_of_studies(package: Path) -> list[str]:
    return [f"{a} -> {b}" for a, b in arrows(package, with_lazy=True) if b == "studies"]


def imports_by_name(package: Path) -> list[str]:
    """Absolute imports of the package: it has another name where it is installed."""
    found = []
    for place, path in files_of(package).items():
        for node, _ in nodes_of(path):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            found += [place for name in names if name.partition(".")[0] == package.name]
    return found


def circles(package: Path) -> list[str]:
    for graph in (imports(package), {room: {b for a, b in arrows(package) if a == room} for room in RANK}):
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            return [" <- ".join(error.args[1])]
    return []


def too_many_arrows(package: Path, most: int = 125) -> list[str]:
    count = len(arrows(package, with_lazy=True))
    return [f"{count} arrows between rooms"] if count > most else []


def too_many_files(package: Path, most: int = 375) -> list[str]:
    count = len(files_of(package))
    return [f"{count} files"] if count > most else []


def too_long_files(package: Path, most: int = 300) -> list[str]:
    lengths = {place: len(path.read_text(encoding="utf-8").splitlines()) for place, path in files_of(package).items()}
    return [f"{place}: {length} lines" for place, length in lengths.items() if length > most]


def too_much_code(package: Path, most: int = 27_500) -> list[str]:
    count = sum(map(code_lines, files_of(package).values()))
    return [f"{count} lines of code"] if count > most else []


def code_lines(path: Path) -> int:
    """Lines that are more than blank, comment or docstring."""
    alone = [node.value for node, _ in nodes_of(path) if isinstance(node, ast.Expr)]
    texts = [value for value in alone if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    documented = {line for text in texts for line in range(text.lineno, (text.end_lineno or 0) + 1)}
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
    code = {line for t in tokens if t.type not in NO_CODE for line in range(t.start[0], t.end[0] + 1)}
    return len(code - documented)


def repeated_classes(package: Path) -> list[str]:
    nodes = (node for path in files_of(package).values() for node, _ in nodes_of(path))
    names = Counter(node.name for node in nodes if isinstance(node, ast.ClassDef))
    return [name for name, count in names.items() if count > 1]


def uses(package: Path, names: tuple[str, ...], except_in: tuple[str, ...] = ()) -> list[str]:
    """Where one of the names, such as ``sys.stdout``, is used."""
    return [
        f"{place}: {name}"
        for place, path in files_of(package).items()
        if room_of(place) not in except_in
        for node, _ in nodes_of(path)
        if (name := dotted(node)) in names
    ]


def dotted(node: ast.AST) -> str:
    """``sys.stdout`` of the node of that name, "" of any other."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


printing = partial(uses, names=("print", "sys.stdout"), except_in=EDGE)
exiting = partial(uses, names=("SystemExit", "sys.exit", "exit"), except_in=(*EDGE, "__main__.py"))
globals_written = partial(uses, names=("globals",))

RULES = {
    "no unknown room": unknown_rooms,
    "imports go to the left": wrong_directions,
    "nobody imports studies": importers_of_studies,
    "no file imports the package by its name": imports_by_name,
    "no circle": circles,
    "few arrows": too_many_arrows,
    "few files": too_many_files,
    "short files": too_long_files,
    "little code": too_much_code,
    "a class name occurs once": repeated_classes,
    "only commands and studies print": printing,
    "only commands and studies exit": exiting,
    "no module writes its globals": globals_written,
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_package_keeps(rule: Rule) -> None:
    assert rule(SCRIPTS) == []


LAZY_IMPORT = "def f():\n    from ..{} import b"
CODE = '"""Text.\n\nMore text."""\n\n# why\nx = (\n    1,  # one\n)\n'
BITES = [
    (unknown_rooms, {"attic/box.py": ""}, ["attic"]),
    (wrong_directions, {"data/a.py": LAZY_IMPORT.format("losses")}, []),
    (wrong_directions, {"losses/a.py": LAZY_IMPORT.format("data")}, ["losses -> data"]),
    (wrong_directions, {"files/a.py": "from .. import restore, __version__"}, ["files -> __init__.py"]),
    (wrong_directions, {"files/a.py": "from .. import __version__"}, []),
    (importers_of_studies, {"commands/a.py": LAZY_IMPORT.format("studies")}, ["commands -> studies"]),
    (imports_by_name, {"data/a.py": "def f():\n    import made.losses"}, ["data/a.py"]),
    (imports_by_name, {"data/a.py": "from made import losses", "data/b.py": '"""import made"""'}, ["data/a.py"]),
    (
        circles,
        {"data/a.py": "from . import b", "data/b.py": "from .a import f"},
        ["data/a.py <- data/b.py <- data/a.py"],
    ),
    (
        circles,
        {"latent/a.py": "from ..demo import b", "demo/c.py": "from ..latent import d"},
        ["demo <- latent <- demo"],
    ),
    (circles, {"commands/a.py": "def f():\n    from . import b", "commands/b.py": "from . import a"}, []),
    (partial(too_many_arrows, most=0), {"commands/a.py": LAZY_IMPORT.format("data")}, ["1 arrows between rooms"]),
    (partial(too_many_files, most=1), {"data/a.py": ""}, ["7 files"]),
    (partial(too_long_files, most=1), {"data/a.py": "1\n\n"}, ["data/a.py: 2 lines"]),
    (partial(too_much_code, most=0), {"data/a.py": CODE}, ["3 lines of code"]),
    (repeated_classes, {"data/a.py": "class A: ...", "losses/b.py": "class A: ..."}, ["A"]),
    (printing, {"data/a.py": "import sys\nsys.stdout"}, ["data/a.py: sys.stdout"]),
    (printing, {"commands/a.py": "print(1)", "data/a.py": '"""It does not print()."""'}, []),
    (exiting, {"data/a.py": "raise SystemExit(1)"}, ["data/a.py: SystemExit"]),
    (globals_written, {"networks/__init__.py": "globals()['a'] = 1"}, ["networks/__init__.py: globals"]),
]


@pytest.mark.parametrize(("rule", "files", "problems"), BITES)
def test_a_rule_bites(rule: Rule, files: dict[str, str], problems: list[str], tmp_path: Path) -> None:
    package = tmp_path / "made"
    packages = {f"{room}/__init__.py": "" for room in ("losses", "data", "demo", "latent", "commands")}
    for place, text in {"__init__.py": "", **packages, **files}.items():
        (package / place).parent.mkdir(parents=True, exist_ok=True)
        (package / place).write_text(text)
    assert rule(package) == problems


def test_tests_mirror_the_rooms() -> None:
    """``tests/losses/test_dssim.py`` tests ``scripts/losses/dssim.py``; tests of a whole room have its name."""
    without = set()
    for test in TESTS.glob("*/**/test_*.py"):
        room = test.parent.relative_to(TESTS)
        name = test.stem.removeprefix("test_")
        mirrored = (SCRIPTS / room / f"{name}.py").is_file() or (SCRIPTS / room / name).is_dir()
        if room.parts[0] != "studies" and not mirrored and name != room.name:
            without.add(test.relative_to(TESTS).as_posix())
    assert without == WITHOUT_MIRROR
