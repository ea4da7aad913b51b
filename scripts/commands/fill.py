# SPDX-License-Identifier: Apache-2.0
"""``fill IN OUT --mask MASK``."""

from __future__ import annotations

from typing import Annotated, Any

from .restore import restore

__all__ = ["COMMAND", "fill"]


def fill(
    dataset_dir: Annotated[str, "IN"],
    output_dir: str = "eval/filled",
    *,
    mask: str,
    anomaly: bool = False,
    **keys: Annotated[str | None, "configs/inference.yaml"],
) -> None:
    """Fill what a mask marks in the volumes of a folder, such as lesions, with what would be there in a healthy head.

    Only masked voxels change: the type, the header and all other stored values of a result are those of its input.
    Prints the path of each result; report.json, in OUT, has all the rest. The same as restore with --mode fill.

    Args:
        dataset_dir: folder of the volumes, subfolders included.
        output_dir: folder of the results.
        mask: file, or folder of masks with the names of the images; what is not 0 is filled.
        anomaly: map the anomalies of the volumes as they came, too.
        **keys: any other key of the file goes as well.
    """
    settings: dict[str, Any] = {**keys, "mode": "fill", "mask": mask}
    restore(dataset_dir, output_dir, anomaly=anomaly, **settings)


COMMAND = fill
