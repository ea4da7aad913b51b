# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from scripts.recipes import places
from scripts.recipes.code import code_hash, needed_files, used_modules

TOY = {
    "__init__.py": "VERSION = 1\ndef __getattr__(name):\n    from .unused import anything\n    return anything\n",
    "unused.py": "anything = 1\n",
    "shapes/__init__.py": "from .circle import Circle\nfrom .square import Square as Box\nSIDES = {'box': Box}\n",
    "shapes/circle.py": "from ..maths import numbers\nclass Circle:\n    area = numbers.PI\n",
    "shapes/square.py": "from __future__ import annotations\nfrom typing import TYPE_CHECKING\n"
    "if TYPE_CHECKING:\n    from ..unused import anything\n"
    "class Square:\n    def page(self) -> None:\n        from ..pages import page\n        page.show()\n",
    "shapes/alone.py": "from .. import VERSION\n",
    "shapes/counted.py": "from . import SIDES\n",
    "maths/__init__.py": "from . import numbers\n",
    "maths/numbers.py": "PI = 3\n",
    "pages/__init__.py": "",
    "pages/page.py": "from pathlib import Path\nOLD = 'lost.html'\n"
    "def show() -> None:\n    Path(__file__).with_name('page.html.jinja')\n",
    "pages/page.html.jinja": "",
    "pages/other.html.jinja": "",
}
CIRCLE = {"shapes/circle.py", "maths/numbers.py"}
BOX = {"shapes/square.py", "pages/page.py"}


@pytest.fixture
def toy(tmp_path, monkeypatch) -> Path:
    """A package with an import of every kind, which takes the place of the real one."""
    root = tmp_path / "toy"
    for name, text in TOY.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(places, "PACKAGE_DIR", root)
    monkeypatch.setattr(places, "PACKAGE", "toy")
    return root


def names(files: list[Path], root: Path) -> set[str]:
    return {file.relative_to(root).as_posix() for file in files}


def test_code_is_that_of_the_named_modules_and_what_they_import():
    def stems(text: str) -> set[str]:
        return {path.stem for path in used_modules({"_target_": text})}

    assert "blocks" in stems("scripts.networks.SkipCAE")  # imported by the network
    assert "residual_unet" not in stems("scripts.networks.SkipCAE")  # beside it
    assert stems("$scripts.files.atomic.replacing(@x)") == {"atomic"}
    assert stems("torch.nn.MSELoss") == set()
    everything = {path.stem for path in Path("scripts/losses").glob("*.py")}
    assert stems("scripts.losses.unheard_of") >= everything  # no module exports it: the whole package counts


def test_code_hash_follows_the_code():
    one, other = (code_hash({"_target_": f"scripts.networks.{name}"}) for name in ("SkipCAE", "ResidualUNet"))
    assert one != other
    assert one == code_hash({"a": [{"_target_": "scripts.networks.SkipCAE", "spatial_dims": 3}]})


def test_code_hash_is_that_of_the_content_of_what_is_used(toy):
    before = code_hash("toy.shapes.Circle")
    (toy / "shapes/alone.py").write_text("")
    assert code_hash("toy.shapes.Circle") == before
    (toy / "maths/numbers.py").write_text("PI = 4\n")
    assert code_hash("toy.shapes.Circle") != before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("toy.shapes.Circle", CIRCLE),  # a module imported by `from package import module`
        ("toy.shapes.Box", BOX),  # under another name, and what it imports inside a function
        ("$[toy.shapes.SIDES, 1]", {"shapes/__init__.py", *CIRCLE, *BOX}),  # made in the package itself
        ("toy.shapes.counted", {"shapes/counted.py", "shapes/__init__.py", *CIRCLE, *BOX}),
        ("toy.shapes.alone.VERSION", {"shapes/alone.py", "__init__.py"}),  # the package loads the rest on first use
        ("$toy.maths.numbers.PI + 1", {"maths/numbers.py"}),
        ("$import toy.shapes", {"shapes/__init__.py", *CIRCLE, *BOX}),
    ],
)
def test_results_depend_on_what_is_named(toy, text, expected):
    assert names(used_modules([{"_target_": text}]), toy) == expected


def test_a_name_is_used_with_its_templates(toy):
    assert names(needed_files("toy.shapes.Box"), toy) == {*BOX, "pages/page.html.jinja"}
