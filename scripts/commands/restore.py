# SPDX-License-Identifier: Apache-2.0
"""``restore IN OUT``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Annotated

from .front import say, usage_errors

if TYPE_CHECKING:
    from ..inference.report import RestorationReport

__all__ = ["COMMAND", "restore"]


SHARED = ("device", "dicom", "patterns")
"""Keys that restoration and anomaly maps have in common."""


def restore(
    dataset_dir: Annotated[str, "IN"],
    output_dir: str = "",
    *,
    anomaly: bool = False,
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
        **keys: any other key of the file goes as well, such as --network_def#channels.
    """
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
