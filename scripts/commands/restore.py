# SPDX-License-Identifier: Apache-2.0
"""``restore IN OUT``."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal

from .arguments import READING, Count, UsageError, nearest
from .front import say, usage_errors

if TYPE_CHECKING:
    from ..inference.report import RestorationReport

__all__ = ["COMMAND", "restore"]


SHARED = ("device", "patterns")
"""Keys that restoration and anomaly maps have in common."""
EXPORTED = "eval/onnx/brain_mri_restorer"
ONNX_OPTIONS: dict[str, Any] = {
    "plane": str,
    "gate": bool,
    "dtype": str,
    "max_memory": float,
    "patterns": Sequence[str],
    "skip_existing": bool,
    "dry_run": bool,
    "threads": Count,
}
"""Options that the runtime onnx has, by the type of their values."""


def restore(
    dataset_dir: Annotated[str, "IN"],
    output_dir: str = "",
    *,
    anomaly: bool = False,
    runtime: Literal["torch", "onnx"] = "torch",
    model: str = "",
    **keys: Annotated[str | None, "configs/inference.yaml"],
) -> None:
    """Restore the volumes of a folder: NIfTI, MGH, MetaImage, NRRD files and DICOM series, with the shipped weights.

    Each result has the shape, the grid and the intensity scale of its input. A file that cannot be restored is skipped
    and named; the exit status is then 1. Prints the path of each result; report.json, in OUT, has all the rest.

    Args:
        dataset_dir: folder of the volumes, subfolders included.
        output_dir: folder of the results; eval/restored by default.
        anomaly: map the anomalies of the volumes as they came, too: what the command anomaly writes, into OUT, with an
            entry in report.json.
        runtime: onnx: with what export wrote, without PyTorch and MONAI, and with the options plane, gate, dtype,
            max_memory, patterns, skip_existing, dry_run and threads alone.
        model: folder that export wrote, for the runtime onnx; by default eval/onnx/brain_mri_restorer.
        **keys: any other key of the file goes as well, such as --network_def#channels.
    """
    if runtime == "onnx":
        _without_torch(dataset_dir, output_dir, model, anomaly, keys)
        return
    if model:
        raise UsageError("--model is a folder that export wrote: add --runtime onnx, or leave it out.")
    from ..files.errors import printable
    from ..recipes.workflow import INFERENCE, recipe_workflow, typed_settings

    with usage_errors():
        settings = typed_settings(INFERENCE, keys)
    workflow = recipe_workflow(INFERENCE, "inference", settings, dataset_dir, output_dir)
    report = workflow.parser.get_parsed_content("report")
    report.names_results = False
    try:
        with _mapped(report, keys) if anomaly and not report.dry_run else nullcontext():
            workflow.run()
    finally:
        for volume in () if report.dry_run else report.restored:
            say(printable(str(report.output_dir / volume["output"])))


def _without_torch(
    dataset_dir: str, output_dir: str, model: str, anomaly: bool, keys: Mapping[str, str | None]
) -> None:
    """Restore with an exported model; nothing here imports torch or MONAI, and no config is read."""
    from ..files.errors import printable
    from ..inference.onnx_folder import OnnxFolder
    from ..inference.onnx_model import OnnxModel

    if anomaly:
        raise UsageError("--anomaly is of no use with --runtime onnx, which has no detector: leave one of the two out.")
    options = {name: _read(name, text) for name, text in keys.items()}
    with usage_errors():
        exported = OnnxModel(model or EXPORTED, options.pop("threads", 0))
        folder = OnnxFolder(dataset_dir, output_dir or "eval/restored", exported, **options)
    folder.report.names_results = False
    try:
        folder.run()
    finally:
        for volume in () if folder.report.dry_run else folder.report.restored:
            say(printable(str(folder.report.output_dir / volume["output"])))


def _read(name: str, text: str | None) -> Any:
    """The value of an option of the runtime onnx."""
    if name not in ONNX_OPTIONS:
        raise UsageError(f"--{name} is of no use with --runtime onnx. {nearest(name, ONNX_OPTIONS, '--')}")
    kind = ONNX_OPTIONS[name]
    if text is None:
        if kind is not bool:
            raise UsageError(f"--{name} needs a value.")
        return True
    if kind is Sequence[str]:
        return [part.strip(" '\"") for part in text.strip("[]").split(",")]
    try:
        return READING[kind].get("type", str)(text)
    except ArgumentTypeError as error:
        raise UsageError(f"--{name} {error}") from None


@contextmanager
def _mapped(report: RestorationReport, keys: Mapping[str, str | None]) -> Iterator[None]:
    """After a restoration, map the anomalies of the same volumes, whether some were skipped or not."""
    from ..files.errors import printable
    from ..inference.report import SkippedVolumesError
    from .anomaly import DETECTOR, folder_mapper

    shared = {name: keys[name] for name in SHARED if name in keys}
    folder = folder_mapper(DETECTOR, str(report.dataset_dir), str(report.output_dir), "", shared)
    folder.within_report = True
    try:
        yield
    except RuntimeError as error:  # MONAI's, around what happened
        if isinstance(error.__cause__, SkippedVolumesError):
            with suppress(ValueError):  # the same volumes
                folder.run()
        raise
    else:
        folder.run()
    finally:
        for volume in folder.mapped:
            say(printable(str(folder.output_dir / volume["outputs"][0])))


COMMAND = restore
