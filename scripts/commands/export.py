# SPDX-License-Identifier: Apache-2.0
"""``export NAME OUT``."""

from __future__ import annotations

from typing import Annotated

from .front import say, say_written

__all__ = ["COMMAND", "export"]


def export(name: Annotated[str, "NAME"], output_dir: str = "", *, weights: str = "") -> None:
    """Write a published restorer as ONNX: graphs for any size, a manifest in plain JSON, model card and licences.

    Where Python code may not be run from a config, the folder is all that is needed: restore IN OUT --runtime onnx
    --model OUT runs where NumPy, NiBabel and ONNX Runtime are installed.

    Args:
        name: brain_mri_restorer or brain_mri_autoencoder.
        output_dir: folder of the results; by default eval/onnx/NAME.
        weights: state dictionary of a training of the same network; by default the published one.
    """
    from ..inference.onnx_export import export as write

    manifest = write(name, output_dir or f"eval/onnx/{name}", weights)
    say_written(sorted(manifest.parent.iterdir()))
    say(str(manifest))


COMMAND = export
