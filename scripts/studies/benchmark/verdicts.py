# SPDX-License-Identifier: Apache-2.0
"""The rule that judges the claims, and by how much one row of a table is better than another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import pandas as pd

from ...evaluation.statistics import holm
from .cells import Factors
from .claims import CLAIMS, Claim, Design
from .comparisons import SIGNIFICANCE
from .values import HIGHER_IS_BETTER, WHOLE_KIND, Quantity, Values

__all__ = [
    "MARGINS", "MIN_SEEDS", "RULE", "Gain", "Judgement", "Pairs", "find_designs", "finding", "judge",
    "verdict_table",
]  # fmt: skip

MIN_SEEDS = 3
MARGINS = {"psnr": 0.1, "dssim": 0.0005}
"""Differences below these do not matter: in dB, and of DSSIM."""
SEVERITY = 3
"""Where the claims are judged; for the mixed damage this is the one of the training."""
RULE = (
    "A comparison supports a claim where the Wilcoxon signed-rank test over subjects is significant in its favour "
    f"(p < {SIGNIFICANCE:g} after Holm's correction over all comparisons of this table) and the 95 % t interval over "
    f"at least {MIN_SEEDS} seeds lies on the same side of zero. It contradicts the claim where both say the opposite, "
    "or where both 95 % intervals, over subjects and over seeds, lie within a difference that does not matter "
    f"({MARGINS['psnr']:g} dB of PSNR, {MARGINS['dssim']:g} of DSSIM). Else it is open. A claim holds if all its "
    "comparisons support it, does not hold if one contradicts it, and else one cannot tell."
)


@dataclass(frozen=True)
class Judgement:
    """What was found about a claim in one design.

    Attributes:
        claim: that is judged.
        design: name of the design; empty where no design has the cells that it needs.
        verdict: ``holds``, ``does not hold`` or ``cannot tell``.
        reason: for the verdict, in words.
        evidence: rows of the statistics, with ``p_holm`` of the family of all claims and ``finding``.
    """

    claim: Claim
    design: str
    verdict: str
    reason: str
    evidence: pd.DataFrame


def find_designs(models: Mapping[str, Factors], values: Mapping[str, Values]) -> list[Design]:
    """Models that differ in nothing but the factors, under the words that their names have in common at the start.

    Args:
        models: name to factors, of all trained models.
        values: by the name of the data.
    """
    groups: dict[str, dict[str, Factors]] = {}
    for name, found in models.items():
        groups.setdefault(found.design, {})[name] = found
    designs: dict[str, Design] = {}
    for key, members in groups.items():
        words = zip(*(name.split("_") for name in members), strict=False)
        label = "_".join(same[0] for same in takewhile(lambda column: len(set(column)) == 1, words))
        name = label if label and label not in designs else f"{label or 'design'}_{key[:6]}"
        (seen,) = [found for found in values.values() if next(iter(members)) in found.models]
        designs[name] = Design(name, seen.data, members, tuple(seen.baselines))
    return list(designs.values())


def judge(statistics: pd.DataFrame, designs: Sequence[Design]) -> list[Judgement]:
    """Judge every claim in every design.

    Args:
        statistics: with the rows of the claims' contrasts, see :func:`~scripts.studies.benchmark.comparisons.compare`.
        designs: those of all models.

    Returns:
        One judgement for each claim and each design that has comparisons for it; one without evidence for a claim that
        no design has.
    """
    found = [(claim, design, _rows(statistics, claim, design)) for claim in CLAIMS for design in designs]
    measured = [(claim, design, rows) for claim, design, rows in found if not rows.empty]
    if measured:
        corrected = holm(pd.concat([rows["p"] for _, _, rows in measured]))
    judgements, start = [], 0
    for claim, design, rows in measured:
        evidence = rows.assign(p_holm=corrected[start : start + len(rows)])
        start += len(rows)
        evidence["finding"] = [finding(row) for row in evidence.to_dict("records")]
        judgements.append(Judgement(claim, design.name, *_verdict(list(evidence["finding"])), evidence))
    known = {judgement.claim.name for judgement in judgements}
    judgements += [
        Judgement(claim, "", "cannot tell", "no two cells of this benchmark are a comparison for it", pd.DataFrame())
        for claim in CLAIMS
        if claim.name not in known
    ]
    return sorted(judgements, key=lambda judgement: CLAIMS.index(judgement.claim))


def finding(row: Mapping[str, Any]) -> str:
    """What one comparison says: ``supports``, ``contradicts``, or ``open: ...`` with the reason.

    Args:
        row: ``metric``, ``difference`` (a minus b; a is claimed to be better) with both its intervals, ``seeds`` and
            ``p_holm``.
    """
    if row["seeds"] < MIN_SEEDS:
        return f"open: {row['seeds']} of at least {MIN_SEEDS} seeds"
    sign = 1 if row["metric"] in HIGHER_IS_BETTER else -1
    subjects = sorted((sign * row["ci_low"], sign * row["ci_high"]))
    seeds = sorted((sign * row["seed_low"], sign * row["seed_high"]))
    gain, margin = sign * row["difference"], MARGINS.get(row["metric"], 0.0)
    significant = row["p_holm"] < SIGNIFICANCE
    if significant and gain > 0 and seeds[0] > 0:
        return "supports"
    if significant and gain < 0 and seeds[1] < 0:
        return "contradicts"
    if all(-margin < low and high < margin for low, high in (subjects, seeds)):
        return "contradicts: no difference that matters"
    return "open: seeds disagree" if significant else "open: not significant"


def verdict_table(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """All judgements as one table: a row for each comparison, or one for a claim without any."""
    rows = []
    for judgement in judgements:
        said = {
            "claim": judgement.claim.name, "statement": judgement.claim.statement, "judged_in": judgement.design,
            "verdict": judgement.verdict, "reason": judgement.reason,
        }  # fmt: skip
        evidence = judgement.evidence.drop(columns=["design", "better"], errors="ignore").to_dict("records")
        rows += [said | row for row in evidence or [{}]]
    return pd.DataFrame(rows)


def _rows(statistics: pd.DataFrame, claim: Claim, design: Design) -> pd.DataFrame:
    """The statistics of a claim's contrasts."""
    sides = {(contrast.a, contrast.b) for contrast in claim.contrasts(design) if contrast.pairs}
    if not sides:
        return pd.DataFrame()
    rows = statistics[
        (statistics["design"] == design.name)
        & (statistics["corruption"] == claim.damage)
        & (statistics["region"] == claim.region)
        & statistics["metric"].isin(claim.metrics)
        & pd.Series(list(zip(statistics["a"], statistics["b"], strict=True)), index=statistics.index).isin(sides)
    ]
    severity = SEVERITY if SEVERITY in set(rows["severity"]) else WHOLE_KIND
    return rows[rows["severity"] == severity]


def _verdict(findings: Sequence[str]) -> tuple[str, str]:
    """Verdict of a claim, and how many comparisons say what."""
    supporting = sum(text == "supports" for text in findings)
    contradicting = sum(text.startswith("contradicts") for text in findings)
    open_ones = sorted({text.partition(": ")[2] for text in findings if text.startswith("open")})
    reason = f"of {len(findings)} comparisons {supporting} support and {contradicting} contradict it"
    if open_ones:
        reason += f", {len(findings) - supporting - contradicting} are open ({', '.join(open_ones)})"
    if contradicting:
        return "does not hold", reason
    return ("holds" if supporting == len(findings) else "cannot tell"), reason


@dataclass(frozen=True)
class Gain:
    """How much better one row is than another, positive where it is better.

    Attributes:
        over: the other row.
        mean: of the paired differences.
        low: lower end of their 95 % interval over subjects.
        high: its upper end.
        p_holm: corrected p-value.
        margin: what does not matter.
    """

    over: str
    mean: float
    low: float
    high: float
    p_holm: float
    margin: float

    @property
    def significant(self) -> bool:
        """Whether the test says that there is a difference."""
        return self.p_holm < SIGNIFICANCE

    @property
    def matters(self) -> bool:
        """Whether it is significant, and larger than what does not matter."""
        return self.significant and abs(self.mean) > self.margin


class Pairs:
    """Looks up pairs of rows in the statistics, in either direction.

    Args:
        statistics: of a benchmark.
    """

    def __init__(self, statistics: pd.DataFrame) -> None:
        cells = statistics[statistics["design"] == ""]
        keys = zip(*(cells[key] for key in ("data", "a", "b", *Quantity._fields)), strict=True)
        rows = zip(*(cells[key] for key in ("difference", "ci_low", "ci_high", "p_holm")), strict=True)
        self.rows = dict(zip(keys, rows, strict=True))

    def gain(self, data: str, measure: Quantity, of: str, over: str) -> Gain | None:
        """How much better ``of`` is; ``None`` where the two were not compared (infinite PSNR, no such region)."""
        for a, b, direction in ((of, over, 1), (over, of, -1)):
            row = self.rows.get((data, a, b, *measure))
            if row is not None:
                sign = direction if measure.metric in HIGHER_IS_BETTER else -direction
                mean, low, high = (sign * value for value in row[:3])
                return Gain(over, mean, min(low, high), max(low, high), row[3], MARGINS.get(measure.metric, 0.0))
        return None
