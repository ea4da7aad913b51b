# SPDX-License-Identifier: Apache-2.0
"""Anomaly maps of the heads of a folder, and the calibration on such a folder."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.data import MetaTensor, affine_to_spacing
from torch import Tensor

from .. import __version__
from ..data.file_names import read_name
from ..data.pairing import NamedFile, pair
from ..files.atomic import write_json
from ..files.bids import derived_fields, write_derivative_description
from ..files.errors import failure_reason
from ..files.hashes import file_hash
from ..inference.report import REPORT, SOFTWARE
from ..inference.volumes import find_volumes
from ..transforms.load_volume import WARNINGS
from .calibration import Calibration, HealthyScores
from .detector import Head
from .mapper import AnomalyMap, AnomalyMapper
from .results import DESCRIPTION, result_names, write_results
from .segmentation import no_segmentation, write_clusters
from .working_grid import GivenHead

__all__ = ["FolderMapper", "read_calibration"]

PageWriter = Callable[[Path, str, MetaTensor, AnomalyMap, AnomalyMapper, Mapping[str, Any]], None]
"""Writes the page of a head, see :func:`~scripts.anomaly.page.write_head_page`."""
SHOWN = ("Detector", "Calibration")
"""Facts that a page tells as well."""

logger = logging.getLogger(__name__)


def read_calibration(path: str, weights: str = "") -> Calibration:
    """Read a calibration and check that it is one of these weights.

    Args:
        path: file that ``--calibrate`` wrote.
        weights: weights of the detector's network; "" where it has none.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or belongs to other weights.
    """
    calibration = Calibration.load(path)
    if calibration.sha256 != (file_hash(Path(weights)) if weights else ""):
        raise ValueError(
            f"the calibration {path} belongs to other weights than {weights or 'none'}: make one with --calibrate "
            "CONTROLS."
        )
    return calibration


class FolderMapper:
    """Maps the volumes of a folder one after another; a bad one does not stop the others.

    Args:
        mapper: maps a head.
        dataset_dir: folder of the volumes.
        output_dir: folder of the results.
        patterns: names of volume files.
        masks: brain masks: a folder of files with the images' names, or one file for a folder of one image; "" : they
            are made.
        dicom: whether the clusters are written as DICOM segmentations, too; what is no DICOM series is then refused.

    Attributes:
        write_page: writes a page for each head; by default there is none.
        bids_dir: root of the BIDS dataset of which ``dataset_dir`` is a folder; by default it is that itself.
        within_report: whether ``report.json`` is that of a restoration, which gets the maps as an entry ``anomaly``.
        mapped: an entry of the report for each volume that was mapped.
        skipped: likewise of those that could not be.
    """

    def __init__(
        self,
        mapper: AnomalyMapper,
        dataset_dir: str,
        output_dir: str,
        patterns: Sequence[str],
        masks: str = "",
        dicom: bool = False,
    ) -> None:
        self.mapper, self.patterns, self.masks, self.dicom = mapper, patterns, masks, dicom
        self.dataset_dir, self.output_dir = dataset_dir, Path(output_dir)
        self.write_page: PageWriter | None = None
        self.bids_dir = Path(dataset_dir)
        self.within_report = False
        self.mapped: list[dict[str, Any]] = []
        self.skipped: list[dict[str, str]] = []

    def run(self) -> None:
        """Map every volume, and write ``report.json`` after each.

        Raises:
            OSError: the folder of the results cannot be written to.
            ValueError: a volume was skipped; how many, and where the report is.
        """
        if not self.dataset_dir:
            raise ValueError("dataset_dir is not set: give the folder of the volumes, --dataset_dir IN.")
        self._write_report()
        write_derivative_description(Path(self.dataset_dir), self.output_dir, SOFTWARE, __version__, REPORT, "*.html")
        outputs: dict[str, str] = {}
        for item, mask in self._items(self.dataset_dir):
            try:
                if reason := item["error"] or (no_segmentation(item) if self.dicom else ""):
                    raise ValueError(reason)
                first = outputs.setdefault(item["output"].lower(), item["name"])
                if first != item["name"]:
                    raise ValueError(f"its result {item['output']} is that of {first} already: rename one of the two.")
                self.mapped.append(self._map(item, mask))
            except Exception as failure:  # whatever a reader raises: it concerns this volume alone
                self._skip(item["name"], failure_reason(failure))
            self._write_report()
        total, report = len(self.mapped) + len(self.skipped), self.output_dir / REPORT
        if self.skipped:
            raise ValueError(f"{len(self.skipped)} of {total} volumes were skipped, see {report}")
        logger.info("mapped %d volumes, see %s", total, report)

    def calibrate(self, controls: str, detector: str, weights: str = "") -> Calibration:
        """Learn from a folder of healthy heads what scores are usual.

        Args:
            controls: folder of healthy heads.
            detector: name of the detector.
            weights: weights of its network.

        Raises:
            ValueError: too few heads can be used, or one cannot: a calibration on others than those that were meant
                would go unnoticed.
        """
        healthy: list[HealthyScores] = []
        for item, mask in self._items(controls):
            try:
                healthy.append(self.mapper.scores(self._head(item, mask)))
            except Exception as failure:
                self._skip(item["name"], failure_reason(failure))
        if self.skipped:
            raise ValueError(
                f"{len(self.skipped)} of {len(healthy) + len(self.skipped)} healthy heads cannot be used: "
                f"take them out of {controls}, or mend them."
            )
        source = f"{len(healthy)} heads of {Path(controls).resolve().name}"
        return Calibration.learn(healthy, detector, source, file_hash(Path(weights)) if weights else "")

    def lesion_cases(self, lesions: str) -> Iterator[tuple[str, GivenHead, Tensor]]:
        """Heads of the folder with masks of their lesions.

        Args:
            lesions: folder of masks with the images' names; a head without one is passed over.

        Yields:
            Name, head, and mask ``(X, Y, Z)`` on its own grid.

        Raises:
            ValueError: a volume or a mask cannot be read, or no head has a mask.
        """
        items = find_volumes(self.dataset_dir, self.output_dir, self.patterns, DESCRIPTION)
        masks = _masks(items, Path(lesions))
        if not masks:
            raise ValueError(f"no mask in {lesions} has the name of a volume of {self.dataset_dir}.")
        for item, brain_file in self._items(self.dataset_dir):
            if item["name"] not in masks:
                continue
            volume, brain, _ = self._load(item, brain_file)
            grid = self.mapper.grid
            mask = grid.load.transforms[0]({"image": masks[item["name"]], "series": ""})["image"]
            yield item["name"], grid(volume, brain), grid.on_grid_of(volume, mask).as_tensor()[0]

    def _items(self, folder: str) -> Iterator[tuple[Mapping[str, str], str]]:
        items = find_volumes(folder, self.output_dir, self.patterns, DESCRIPTION)
        found = _masks(items, Path(self.masks)) if self.masks else {}
        yield from ((item, found.get(item["name"], "")) for item in items)

    def _load(self, item: Mapping[str, str], mask: str) -> tuple[MetaTensor, MetaTensor | None, list[str]]:
        """The volume, its mask where there is one, and what is odd about the file."""
        if item["error"]:
            raise ValueError(item["error"])
        if self.masks and not mask:
            raise ValueError(f"{self.masks} has no mask of it: one whose name begins like the image's is needed.")
        load = self.mapper.grid.load
        loaded = load({"image": item["image"], "series": item["series"]})
        brain = load.transforms[0]({"image": mask, "series": ""})["image"] if mask else None
        return loaded["image"], brain, loaded.get(WARNINGS, "").splitlines()

    def _head(self, item: Mapping[str, str], mask: str) -> Head:
        return self.mapper.grid(*self._load(item, mask)[:2]).head

    def _map(self, item: Mapping[str, str], mask: str) -> dict[str, Any]:
        begin = time.perf_counter()
        volume, brain, warnings = self._load(item, mask)
        found = self.mapper(volume, brain, warnings)
        calibration = self.mapper.calibrated()
        affine = np.asarray(volume.affine, dtype=np.float64)
        spacing = affine_to_spacing(affine).tolist()
        facts = {
            **derived_fields(Path(item["image"]), self.bids_dir, spacing, found.skull_stripped),
            "Detector": calibration.detector,
            "Calibration": calibration.source,
            "HealthyHeads": calibration.heads,
            "Level": self.mapper.level,
            "ShareAboveLine": round(found.share, 5),
            "Verdict": found.verdict.name if found.verdict else "unknown",
        }
        page = self.output_dir / f"{item['output'].removesuffix('.nii.gz')}.html"
        page.unlink(missing_ok=True)  # that of an earlier map
        if self.write_page is not None:
            self.write_page(page, item["name"], volume, found, self.mapper, {name: facts[name] for name in SHOWN})
        segmentation = self.output_dir / f"{result_names(item['output'])['clusters']}.dcm"
        try:
            more = write_clusters(found, item, segmentation) if self.dicom else []
            files = [*write_results(found, self.output_dir, item["output"], affine, volume.meta, facts), *more]
        except BaseException:
            for written in (page, segmentation):
                written.unlink(missing_ok=True)
            raise
        for warning in found.warnings:
            logger.warning("%s: %s", item["name"], warning)
        return {
            "name": item["name"],
            "outputs": [file.relative_to(self.output_dir).as_posix() for file in files],
            **({"page": page.relative_to(self.output_dir).as_posix()} if self.write_page else {}),
            "clusters": len(found.table),
            "share_above_line": round(found.share, 5),
            "verdict": facts["Verdict"],
            "brain_ml": round(float(found.brain.sum()) * abs(np.linalg.det(affine[:3, :3])) / 1000, 1),
            "warnings": found.warnings,
            "seconds": round(time.perf_counter() - begin, 3),
        }

    def _skip(self, name: str, reason: str) -> None:
        self.skipped.append({"name": name, "reason": reason})
        logger.warning("skipped %s: %s", name, reason)

    def _write_report(self) -> None:
        if self.output_dir.exists() and not self.output_dir.is_dir():
            raise NotADirectoryError(f"output_dir '{self.output_dir}' is a file: give a folder.")
        path, content = self.output_dir / REPORT, {"mapped": self.mapped, "skipped": self.skipped}
        if self.within_report:
            write_json(path, json.loads(path.read_text(encoding="utf-8")) | {"anomaly": content})
        else:
            write_json(path, {"dataset_dir": self.dataset_dir, **content})


def _masks(items: Sequence[Mapping[str, str]], masks: Path) -> dict[str, str]:
    """Mask of each volume by its name; those without one are missing."""
    if masks.is_file() and len(items) == 1:
        return {items[0]["name"]: str(masks)}
    if not masks.is_dir():
        what = f"is a file, of one of {len(items)} volumes" if masks.is_file() else "does not exist"
        raise FileNotFoundError(f"masks '{masks}' {what}: give a folder of brain masks with the images' names.")
    files = sorted(path.relative_to(masks) for path in masks.rglob("*.nii*"))
    images = [NamedFile(Path(item["name"]), read_name(Path(item["name"]))) for item in items]
    pairs = pair(images, [NamedFile(path, read_name(path)) for path in files])
    return {path.as_posix(): str(masks / candidates[0]) for path, candidates in pairs.items()}
