# SPDX-License-Identifier: Apache-2.0
"""``restore IN OUT``."""

from __future__ import annotations

from typing import Annotated

from .front import say, usage_errors

__all__ = ["COMMAND", "restore"]


def restore(
    dataset_dir: Annotated[str, "IN"], output_dir: str = "", **keys: Annotated[str | None, "configs/inference.yaml"]
) -> None:
    """Restore the volumes of a folder: NIfTI, MGH, MetaImage, NRRD files and DICOM series, with the shipped weights.

    Each result has the shape, the grid and the intensity scale of its input. A file that cannot be restored is skipped
    and named; the exit status is then 1. Prints the path of each result; report.json, in OUT, has all the rest.

    Args:
        dataset_dir: folder of the volumes, subfolders included.
        output_dir: folder of the results; eval/restored by default.
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
        workflow.run()
    finally:
        for volume in () if report.dry_run else report.restored:
            say(printable(str(report.output_dir / volume["output"])))


COMMAND = restore
