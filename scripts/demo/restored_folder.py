# SPDX-License-Identifier: Apache-2.0
"""Pages of the restored heads of a folder, after they were restored: one head in memory at a time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.data import MetaTensor
from monai.transforms import Compose

from ..files.errors import failure_reason, printable
from ..files.sidecar import page_path
from ..inference.brain_mask import BrainMasker
from ..inference.gate import OUTSIDE
from ..inference.report import RestorationReport
from ..inference.restorer import Restorer
from .restored_page import RestoredHead, write_head_page, write_index
from .self_test import self_test

__all__ = ["write_pages"]

logger = logging.getLogger(__name__)


def write_pages(report: RestorationReport, restorer: Restorer, items: Sequence[Mapping[str, str]]) -> Path:
    """Write a page for each restored head that has none yet, and the index; the report names them.

    Args:
        report: what became of the volumes.
        restorer: what restored them.
        items: the volumes, see :func:`~scripts.inference.volumes.find_volumes`.

    Returns:
        The index.

    Raises:
        OSError: the index cannot be written.
    """
    sources, masker = {item["name"]: item for item in items}, BrainMasker(device=restorer.device)
    without = list(report.skipped)
    for entry in list(report.restored):
        page = page_path(report.output_dir / entry["output"])
        if "page" in entry and page.is_file():
            continue
        try:
            head = _read_head(restorer, sources[entry["name"]], report.output_dir, entry)
            test = self_test(restorer, head.best, masker, head.verdict == OUTSIDE)
            write_head_page(page, head, test)
            report.add(entry["name"], page=page.relative_to(report.output_dir).as_posix(), self_test=test.facts())
            color, reasons = test.judged()
            logger.info("tested on %s: %s, %s", printable(entry["name"]), color, "; ".join(reasons))
        except Exception as failure:  # whatever a reader or the memory raises: it concerns this page alone
            without.append({"name": entry["name"], "reason": f"no page: {failure_reason(failure)}"})
            logger.warning("no page of %s: %s", printable(entry["name"]), failure_reason(failure))
    return write_index(report.output_dir, report.restored, without)


def _read_head(restorer: Restorer, item: Mapping[str, str], output_dir: Path, entry: Mapping[str, Any]) -> RestoredHead:
    load, check = restorer.preprocessing.transforms[:2]

    def volume(path: str | Path, series: str = "", *steps: Any) -> MetaTensor:
        return Compose([load, *steps])({"image": str(path), "series": series})["image"]

    uncertainty = entry.get("output_uncertainty")
    return RestoredHead(
        entry["name"],
        volume(item["image"], item["series"], check),
        volume(output_dir / entry["output"]).as_tensor(),
        volume(output_dir / uncertainty).as_tensor() if uncertainty else None,
        entry,
    )
