# SPDX-License-Identifier: Apache-2.0
"""The front door: ``python -m scripts WORD ...`` in a checkout, ``brain-ae WORD ...`` where installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from .commands.front import answer, call, choose
from .recipes.places import PROGRAM

__all__ = ["WORDS", "main"]

WORDS = {
    "restore": "restore the volumes of a folder",
    "fill": "fill what a mask marks in the volumes of a folder",
    "prepare": "describe a folder of heads as a cohort",
    "train": "train a recipe on a cohort",
    "evaluate": "evaluate a trained recipe on the test subjects of a cohort",
    "latent": "explore the latent space of a trained recipe",
    "tissue": "learn what plausible tissue masks look like",
    "chart": "learn a normative chart of brain measures, and place heads on it",
    "anomaly": "map what is anomalous in the volumes of a folder",
    "bids": "restore and map the T1-weighted heads of a BIDS dataset",
    "export": "write a published restorer as ONNX, with a manifest in plain JSON",
    "view": "show a finished run in a browser, and restore images there",
    "demo": "show on synthetic heads what the project does",
    "import-keras": "convert the weights that the thesis published",
}
"""Each word is a module of ``commands``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: what was typed after the program; by default what this process was started with.

    Returns:
        Exit status: 0; 1 where some input failed; 2 for arguments that make no sense.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)

    def work() -> None:
        word = choose(PROGRAM, WORDS, words)
        module = import_module(f".commands.{word.replace('-', '_')}", __package__)
        call(module.COMMAND, f"{PROGRAM} {word}", words[1:])

    return answer(work)


if __name__ == "__main__":
    sys.exit(main())
