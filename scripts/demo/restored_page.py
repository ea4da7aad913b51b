# SPDX-License-Identifier: Apache-2.0
"""Pages for those who read no code: one for each restored head, and one that lists them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from monai.data import MetaTensor
from torch import Tensor

from ..anatomy.head_mask import head_mask
from ..evaluation.conditions import make_conditions
from ..inference.gate import DAMAGED, FINE, OUTSIDE
from ..pages.comparison import Column, comparison_figure, difference_scale, image_scale, sd_scale
from ..pages.page import Section, write_sections
from ..transforms.volume_scale import volume_range
from .self_test import AMBER, HOLES, LESIONS, NOISE, RED, RULE, SEVERITY, SelfTest

__all__ = ["INDEX", "RestoredHead", "write_head_page", "write_index"]

INDEX = "restoration_report.html"
NOTE = (
    "Research use, not for diagnosis. What was restored is a guess, not a measurement. The right side of the head is "
    "on the left of each picture."
)
VERDICTS = {
    FINE: "Fine: no damage was found, and the volume came back as it was.",
    DAMAGED: "Damaged.",
    OUTSIDE: "Outside of what the restorer was trained on: the volume came back as it was, bit for bit.",
    "": "No verdict was asked for (the gate is off): everything was restored.",
}
LEAST_LIMIT = 0.02
"""Smallest end of the scale of differences, as a share of the bright end: less is not worth seeing."""
VISIBLE = 0.01
"""Change, as a share of the bright end, from which a voxel counts as visibly changed."""


@dataclass(frozen=True)
class RestoredHead:
    """A head before and after.

    Attributes:
        name: of the volume.
        before: as it came, ``(1, X, Y, Z)``, with its affine.
        after: as it was written, same shape.
        uncertainty: standard deviation, same shape, if it was asked for.
        facts: its entry in ``report.json``.
    """

    name: str
    before: MetaTensor
    after: Tensor
    uncertainty: Tensor | None
    facts: Mapping[str, Any]

    @property
    def verdict(self) -> str:
        """``fine``, ``damaged`` or ``outside``; "" without a gate."""
        return str(self.facts.get("verdict", ""))

    @property
    def best(self) -> MetaTensor:
        """The head as good as it is known: the restored one, if it was damaged."""
        return MetaTensor(self.after, affine=self.before.affine) if self.verdict == DAMAGED else self.before


def write_head_page(path: Path, head: RestoredHead, test: SelfTest) -> None:
    """Write the page of a head.

    Args:
        path: HTML file.
        head: the head.
        test: what known damage to it showed.
    """
    before, after = head.before.as_tensor()[0], head.after[0]
    low, high = volume_range(head.before)
    inside = torch.from_numpy(head_mask((before - low) / (high - low)))
    change = after - before
    reason = str(head.facts.get("reason", ""))
    words = reason.removeprefix(f"{head.verdict}: ") if head.verdict == DAMAGED else ""
    verdict = f"{VERDICTS[head.verdict]} Found: {words}." if words else VERDICTS[head.verdict]
    if head.verdict == OUTSIDE:
        verdict += f" {reason.partition(': ')[0].capitalize()}."
    color, reasons = test.judged()
    facts = [verdict, f"Judgement of the test on this very head: {color.upper()} ({'; '.join(reasons)})."]
    sections = [
        Section("What was changed", _changed(head, change, low, high), figures=_pictures(head, change, inside)),
        Section("Numbers", "", _numbers(head, change / (high - low), inside)),
        _test_section(head, test),
    ]
    write_sections(f"Restoration of {head.name}", NOTE, facts, sections, path, head.facts.get("warnings", ()))


def write_index(folder: Path, restored: Sequence[Mapping[str, Any]], without: Sequence[Mapping[str, str]]) -> Path:
    """Write the page that leads to those of all heads.

    Args:
        folder: folder of the results.
        restored: entries of the report.
        without: name and reason of each volume that has no page.

    Returns:
        The file.
    """
    paged = [one for one in restored if "page" in one]
    judged = [one["self_test"]["judgement"] for one in paged]
    links = {
        f"{one['self_test']['judgement'].upper()}: {one['name']}, {one.get('verdict', 'no verdict')}"
        + (", with warnings" if one.get("warnings") else ""): one["page"]
        for one in paged
    }
    counts = [f"{judged.count(color)} {color}" for color in (RED, AMBER) if color in judged]
    facts = [f"{len(paged)} heads" + (f", of them {', '.join(counts)}" if counts else "")]
    sections = [Section("Heads", RULE, links=links)]
    if without:
        sections.append(Section("Without a page", "Of these there is no page.", pd.DataFrame(without)))
    write_sections("Restored heads", NOTE, facts, sections, folder / INDEX)
    return folder / INDEX


def _changed(head: RestoredHead, change: Tensor, low: float, high: float) -> str:
    if not change.any():
        return "Nothing: every voxel is as it came. The slices are those in the middle."
    return (
        "In each plane the slice with the largest change. Differences are after minus before, red brighter and blue "
        f"darker. All intensities are those of the file; its bright end (99.5th percentile) is {high:.4g}, nothing is "
        f"{low:.4g}."
    )


def _pictures(head: RestoredHead, change: Tensor, inside: Tensor) -> dict[str, Any]:
    before = head.before.as_tensor()[0]
    low, high = volume_range(head.before)
    ends = torch.quantile(change[inside][:: max(1, int(inside.sum()) // 1_000_000)].abs().double(), 0.998)
    limit = max(float(ends), LEAST_LIMIT * (high - low))
    grey = image_scale(low, low + 1.1 * (high - low), "intensity")
    columns = [
        Column("before", before, grey),
        Column("after", head.after[0], grey),
        Column(
            "difference",
            change,
            difference_scale(limit, f"after - before (±{100 * limit / (high - low):.1f} % of the bright end)"),
        ),
    ]
    caption = "Before, after, and what was changed."
    if head.uncertainty is not None:
        columns.append(Column("uncertainty", head.uncertainty[0], sd_scale(limit, "standard deviation")))
        caption = "Before, after, what was changed, and how uncertain the result is."
    return {caption: comparison_figure(columns, head.before.affine, inside, change * inside)}


def _numbers(head: RestoredHead, relative: Tensor, inside: Tensor) -> pd.DataFrame:
    rows = {
        "voxels changed at all": f"{100 * float((relative != 0).float().mean()):.1f} % of the volume",
        f"voxels of the head changed by more than {100 * VISIBLE:g} % of the bright end": (
            f"{100 * float((relative[inside].abs() > VISIBLE).float().mean()):.1f} % of the head"
        ),
        "root mean square of the change in the head": (
            f"{100 * float(relative[inside].square().mean(dtype=torch.float64).sqrt()):.2f} % of the bright end"
        ),
        "voxels filled rather than measured": f"{head.facts.get('filled_voxels', 0):,}",
        "shape": " x ".join(map(str, head.before.shape[1:])),
        "voxel size": " x ".join(f"{mm:g}" for mm in head.facts.get("spacing_mm", ())) + " mm",
    }
    return pd.DataFrame({"what": list(rows), "how much": list(rows.values())})


def _test_section(head: RestoredHead, test: SelfTest) -> Section:
    color, reasons = test.judged()
    base = "the restored head, since it came damaged," if head.verdict == DAMAGED else "this head as it came"
    gate = " The gate was switched off for it, as nothing would be restored otherwise." if test.outside else ""
    text = (
        f"Known damage was put into {base} and restored in the same way.{gate} {RULE} Synthetic damage is "
        "not the damage of a scanner: green says that the restorer copes with this head, not that its result is right."
    )
    holes = "no hole fell into the head" if test.holes_recovered is None else f"{100 * test.holes_recovered:.0f} %"
    noise, square = (one.description for one in make_conditions([NOISE, HOLES], [SEVERITY]))
    smallest, largest = LESIONS["diameter_mm"]
    rows = {
        f"Rician noise: {noise}": (
            "PSNR inside the head, before and after",
            f"{test.noise_db[0]:.1f} to {test.noise_db[1]:.1f} dB ({test.noise_db[1] - test.noise_db[0]:+.1f})",
        ),
        square: (
            "share of the squared error inside the holes that is undone; 0 %: as left empty", holes,
        ),
        f"synthetic lesions of {smallest:g} to {largest:g} mm, two bright and two dark": (
            "contrast kept inside; 100 %: not touched", _percent(test.contrast_kept),
        ),
        "the same lesions under the noise": (
            "contrast kept inside; 100 %: not touched", _percent(test.contrast_kept_in_noise),
        ),
    }  # fmt: skip
    table = pd.DataFrame(
        [{"damage": damage, "measure": what, "result": value} for damage, (what, value) in rows.items()]
    )
    judgement = f"{color.upper()}: {'; '.join(reasons)}."
    return Section("How it does on this very head", text, table, judgement=judgement, color=color)


def _percent(share: float | None) -> str:
    return "no room for any" if share is None else f"{100 * share:.1f} %"
