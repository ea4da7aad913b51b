# SPDX-License-Identifier: Apache-2.0
"""How well detectors find lesions: synthetic ones in healthy heads, or those whose masks a user has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from tqdm import tqdm

from ..data.cohort import load_datalist
from ..evaluation.lesion_kinds import LESION_KINDS
from ..evaluation.lesions import put_lesions
from .calibration import LINE
from .clusters import cluster_strengths, label_clusters, standing_out
from .detector import Head
from .grading import GradedLesion, view_of
from .mapper import AnomalyMapper
from .measures import VoxelCounts, false_clusters, found_lesions
from .reconstruction import Reconstructing
from .working_grid import GivenHead

__all__ = ["GIVEN", "HEALTHY", "LesionTests"]

HEALTHY, GIVEN = "healthy", "given lesions"
Numbers = NDArray[np.integer]


@dataclass
class LesionTests:
    """What several detectors find in the same heads.

    Attributes:
        mappers: detectors with their calibrations, by name; the trivial ones beside the one that is tested.
        kinds: kinds of synthetic lesions.
        heads: a row for each detector, kind and head.
        lesions: a row for each detector and lesion.
        counts: voxels of all heads, by detector and kind.
        views: synthetic lesions, and whether a cluster that the first detector calls lies on them.
    """

    mappers: Mapping[str, AnomalyMapper]
    kinds: Sequence[str] = tuple(LESION_KINDS)
    heads: list[dict[str, Any]] = field(default_factory=list)
    lesions: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[tuple[str, str], VoxelCounts] = field(default_factory=dict)
    views: list[GradedLesion] = field(default_factory=list)

    def test_cohort(self, dataset_dir: str) -> None:
        """Test the test heads of a cohort, of which each gets lesions of its own seed."""
        grid = next(iter(self.mappers.values())).grid
        for seed, item in enumerate(tqdm(load_datalist(dataset_dir, "test"), unit="head")):
            head = grid(grid.load({"image": item["image"], "series": ""})["image"]).head
            self.add_healthy(head, {name: item.get(name) for name in ("subject", "age", "sex")}, seed)

    def add_healthy(self, head: Head, facts: Mapping[str, Any], seed: int) -> None:
        """Test a healthy head as it is, and with synthetic lesions of each kind.

        Args:
            head: the head.
            facts: what the rows say of it, such as ``subject``, ``age`` and ``sex``.
            seed: of the lesions.
        """
        inside = head.brain.numpy()
        for name, mapper in self.mappers.items():
            test = _Test(name, HEALTHY, facts, mapper, mapper.values(head))
            self._note(test, test.values.numpy(), test.labels, np.zeros(inside.shape, dtype=int), inside, [])
        for kind in self.kinds:
            image, numbers, lesions = put_lesions(head.image.numpy(), inside, kind, seed)
            if not lesions:
                continue
            ill = Head(torch.from_numpy(image), head.brain, head.affine)
            about = [
                {"diameter_mm": one.diameter_mm, "contrast": one.contrast, "change": one.change} for one in lesions
            ]
            for name, mapper in self.mappers.items():
                test = _Test(name, kind, facts, mapper, mapper.values(ill))
                row = self._note(test, test.values.numpy(), test.labels, numbers, inside, about)
                if isinstance(mapper.detector, Reconstructing):
                    row |= _undone(mapper.detector, head, ill, numbers > 0)
                if name == next(iter(self.mappers)):
                    self.views += [
                        GradedLesion(
                            kind,
                            one.diameter_mm,
                            one.contrast,
                            noted["found_called"],
                            view_of(image, one.centre),
                            view_of(numbers == number, one.centre),
                        )
                        for number, (one, noted) in enumerate(
                            zip(lesions, self.lesions[-len(lesions) :], strict=True), start=1
                        )
                    ]

    def add_given(self, given: GivenHead, mask: torch.Tensor, facts: Mapping[str, Any]) -> None:
        """Test a head whose lesions are known, on its own grid.

        Args:
            given: the head.
            mask: its lesions, ``(X, Y, Z)``, on its own grid.
            facts: what the rows say of it.
        """
        inside = given.brain.as_tensor()[0].numpy() > 0
        numbers, number = ndimage.label((mask.numpy() > 0) & inside, structure=np.ones((3, 3, 3)))
        voxel_mm3 = abs(float(np.linalg.det(np.asarray(given.brain.affine)[:3, :3])))
        volumes = np.bincount(numbers.ravel(), minlength=number + 1)[1:] * voxel_mm3
        about = [{"diameter_mm": float(2 * np.cbrt(volume * 3 / (4 * np.pi)))} for volume in volumes]
        for name, mapper in self.mappers.items():
            test = _Test(name, GIVEN, facts, mapper, mapper.values(given.head))
            values = given.on_own_grid(test.values).numpy()
            labels = given.on_own_grid(torch.from_numpy(test.labels), "nearest").numpy().astype(np.int32)
            self._note(test, values, labels, numbers, inside, about)

    def _note(
        self,
        test: _Test,
        values: NDArray[np.floating],
        labels: Numbers,
        lesions: Numbers,
        inside: NDArray[np.bool_],
        about: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        """Compare a map and its clusters with the lesions, on one grid."""
        at_one, called = _only(labels, test.at_one), _only(labels, test.called)
        row = {
            **test.facts,
            "share_above_line": float((values[inside] > LINE).mean()),
            "false_clusters": false_clusters(at_one, lesions),
            "false_called": false_clusters(called, lesions),
        }
        if about:
            counts, key = VoxelCounts.of(values[inside], lesions[inside] > 0), (test.name, test.kind)
            self.counts[key] = counts + self.counts[key] if key in self.counts else counts
            row |= {
                "average_precision": counts.average_precision,
                "best_dice": counts.best_dice,
                "dice_at_line": counts.dice_at_line,
                "dice_of_called": float(
                    2 * ((called > 0) & (lesions > 0)).sum() / ((called > 0).sum() + (lesions > 0).sum())
                ),
                "prevalence": float((lesions[inside] > 0).mean()),
            }
        self.heads.append(row)
        found = (found_lesions(chosen, lesions, len(about)) for chosen in (at_one, called))
        for one, by_strength, by_p in zip(about, *found, strict=True):
            self.lesions.append({**test.facts, **one, "found": by_strength, "found_called": by_p})
        return row


class _Test:
    """The map of one head by one detector, as it is written, and its clusters.

    ``at_one`` says of each cluster whether a healthy head has at most one as strong, ``called`` whether it is called.
    """

    def __init__(self, name: str, kind: str, facts: Mapping[str, Any], mapper: AnomalyMapper, values: Tensor) -> None:
        calibration = mapper.calibrated()
        self.name, self.kind = name, kind
        self.facts = {"detector": name, "kind": kind, **facts}
        self.labels = label_clusters(values.numpy())
        strengths = cluster_strengths(self.labels, values.numpy())
        self.at_one = strengths > calibration.strength_at(1.0)
        self.called = calibration.p_of_clusters(strengths) <= mapper.level
        called = _only(self.labels, self.called) > 0
        self.values = torch.from_numpy(standing_out(values.numpy(), called, LINE))


def _only(labels: Numbers, chosen: NDArray[np.bool_]) -> Numbers:
    """Clusters that are chosen, numbered from 1."""
    numbers = np.zeros(len(chosen) + 1, dtype=np.int32)
    numbers[np.flatnonzero(chosen) + 1] = np.arange(1, chosen.sum() + 1)
    return numbers[labels]


def _undone(detector: Reconstructing, head: Head, ill: Head, lesion: NDArray[np.bool_]) -> dict[str, float]:
    """How much of the lesions a reconstruction undoes, and what it does elsewhere.

    After the indices of Bercea et al., Evaluating normative representation learning in generative AI for robust anomaly
    detection in brain imaging, 2025, but with the healthy head, which is known here, in the place of networks trained
    on photographs: ``undone`` is 1 - mean square error after / before within lesions, ``error_elsewhere`` the mean
    absolute error in the rest of the brain.
    """
    healthy, rebuilt = head.image.numpy(), detector.reconstruct(ill.image).numpy()
    after, before = (np.square(image - healthy)[lesion].mean() for image in (rebuilt, ill.image.numpy()))
    rest = head.brain.numpy() & ~lesion
    return {
        "undone": float(1 - after / before),
        "error_elsewhere": float(np.abs(rebuilt - healthy)[rest].mean()),
    }
