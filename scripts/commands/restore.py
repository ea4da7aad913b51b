# SPDX-License-Identifier: Apache-2.0
"""``restore IN OUT``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Annotated

from .arguments import UsageError
from .front import say, usage_errors

if TYPE_CHECKING:
    from monai.bundle import ConfigParser

    from ..inference.report import RestorationReport

__all__ = ["COMMAND", "restore"]


SHARED = ("device", "dicom", "patterns")
"""Keys that restoration and anomaly maps have in common."""


def restore(
    dataset_dir: Annotated[str, "IN"],
    output_dir: str = "",
    *,
    anomaly: bool = False,
    report: bool = False,
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
        **keys: any other key of the file goes as well, such as --network_def#channels.
    """
    from ..files.errors import printable
    from ..recipes.workflow import INFERENCE, recipe_workflow, typed_settings

    with usage_errors():
        settings = typed_settings(INFERENCE, keys)
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
