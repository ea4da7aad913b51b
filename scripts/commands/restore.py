# SPDX-License-Identifier: Apache-2.0
"""``restore IN OUT``."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from .arguments import READING, Count, UsageError, nearest
from .front import say, usage_errors

if TYPE_CHECKING:
    from monai.bundle import ConfigParser

    from ..inference.report import RestorationReport

__all__ = ["COMMAND", "restore"]


SHARED = ("device", "dicom", "patterns")
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
    report: bool = False,
    recipe: str = "",
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
        report: write a page for each head, NAME_restored.html, and one that lists them, restoration_report.html:
            pictures of what was changed, and how the restorer copes with known damage to this very head, as a red,
            amber or green judgement. It takes three more restorations a head.
        recipe: restore with the network of this recipe, and with the weights of its training in eval/RECIPE, or those
            of --weights.
        runtime: onnx: with what export wrote, without PyTorch and MONAI, and with the options plane, gate, dtype,
            max_memory, patterns, skip_existing, dry_run and threads alone.
        model: folder that export wrote, for the runtime onnx; by default eval/onnx/brain_mri_restorer.
        **keys: any other key of the file goes as well, such as --network_def#channels.
    """
    if runtime == "onnx":
        if recipe:
            raise UsageError("--recipe is of no use with --runtime onnx, which has a --model that export wrote.")
        _without_torch(dataset_dir, output_dir, model, anomaly, keys)
        return
    if model:
        raise UsageError("--model is a folder that export wrote: add --runtime onnx, or leave it out.")
    from ..files.errors import printable
    from ..recipes.workflow import INFERENCE, recipe_workflow, typed_settings

    with usage_errors():
        settings = typed_settings(INFERENCE, keys)
        if recipe:
            settings = {**_network_of(recipe, settings.get("weights")), **settings}
    if report:
        if settings.get("mode") == "fill":
            raise UsageError("report is about volumes that are restored, not filled: leave it out.")
        from ..demo.restored_folder import write_pages  # noqa: F401  # a missing package ends it before any work
    workflow = recipe_workflow(INFERENCE, "inference", settings, dataset_dir, output_dir)
    outcome = workflow.parser.get_parsed_content("report")
    outcome.names_results = False
    try:
        with ExitStack() as after:
            if anomaly and not outcome.dry_run:
                after.enter_context(_mapped(outcome, keys))
            if report and not outcome.dry_run:
                after.enter_context(_then(partial(_write_pages, workflow.parser)))
            workflow.run()
    finally:
        for volume in () if outcome.dry_run else outcome.restored:
            say(printable(str(outcome.output_dir / volume["output"])))


def _network_of(recipe: str, weights: str | None) -> dict[str, Any]:
    """Keys of the inference config for the network of a recipe."""
    from ..recipes.trained import TrainedRecipe
    from ..recipes.workflow import as_text

    trained = TrainedRecipe(recipe, weights)
    return {
        "weights": as_text(str(trained.weights)),
        **{key: trained.config[key] for key in ("network_def", "spatial_dims")},
    }


def _write_pages(parser: ConfigParser) -> None:
    from ..demo.restored_folder import write_pages
    from ..files.errors import printable
    from ..inference.restorer import Restorer

    outcome = parser.get_parsed_content("report")
    if outcome.restored:
        items = parser.get_parsed_content("dataset#data")
        say(printable(str(write_pages(outcome, Restorer.of_config(parser), items))))
        missing = sum("page" not in one for one in outcome.restored)
        if missing:
            raise ValueError(f"{missing} of {len(outcome.restored)} pages could not be written, see above.")


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
def _then(work: Callable[[], None]) -> Iterator[None]:
    """Work after a restoration, whether some volumes were skipped or not."""
    from ..inference.report import SkippedVolumesError

    try:
        yield
    except RuntimeError as error:  # MONAI's, around what happened
        if isinstance(error.__cause__, SkippedVolumesError):
            with suppress(ValueError):  # what was skipped is said once
                work()
        raise
    work()


@contextmanager
def _mapped(outcome: RestorationReport, keys: Mapping[str, str | None]) -> Iterator[None]:
    """After a restoration, map the anomalies of the same volumes."""
    from ..files.errors import printable
    from .anomaly import DETECTOR, folder_mapper

    shared = {name: keys[name] for name in SHARED if name in keys}
    folder = folder_mapper(DETECTOR, str(outcome.dataset_dir), str(outcome.output_dir), "", shared)
    folder.within_report = True
    try:
        with _then(folder.run):
            yield
    finally:
        for volume in folder.mapped:
            say(printable(str(folder.output_dir / volume["outputs"][0])))


COMMAND = restore
